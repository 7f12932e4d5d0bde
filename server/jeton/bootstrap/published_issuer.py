"""Reads what a running server publishes, at the address of its issuer."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from jeton.admin.diagnosis.issuer import PublishedIssuer
from jeton.oauth.metadata import METADATA_PATH
from jeton.outbound.client import OutboundClient
from jeton.outbound.messages import OutboundError, OutboundResponse
from jeton.rules.json_objects import parse_json_object


class UnreachableIssuerError(Exception):
    """The metadata cannot be read. `reason` is a word of `outbound`, "status" or "document"."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


async def read_published_issuer(
    issuer: str, outbound: OutboundClient, wall_clock: Callable[[], float] = time.time
) -> PublishedIssuer:
    """Return metadata (RFC 8414 section 3), key set and certificate. Raise UnreachableIssuerError without metadata."""
    parts = urlsplit(issuer)
    uri = f"{parts.scheme}://{parts.netloc}{METADATA_PATH}{parts.path.rstrip('/')}"
    try:
        response = await outbound.get(uri)
        now = wall_clock()
        certificate_end = await outbound.certificate_end(uri) if parts.scheme == "https" else None
    except OutboundError as error:
        # What TLS rejects, it explains: an expired certificate, another name, an unknown authority.
        detail = getattr(error.__cause__, "verify_message", "")
        raise UnreachableIssuerError(error.reason, f"{error}{detail and f' ({detail})'}") from error
    if response.status != 200:
        raise UnreachableIssuerError("status", f"the response has status {response.status}")
    metadata = _members(response)
    if metadata is None:
        raise UnreachableIssuerError("document", "the response is not a JSON object")
    return PublishedIssuer(
        metadata,
        await _read_kids(metadata.get("jwks_uri"), outbound),
        None if certificate_end is None else certificate_end - now,
        _clock_ahead(response, now),
    )


async def _read_kids(uri: Any, outbound: OutboundClient) -> frozenset[str] | None:
    """Return the `kid` of each key in the key set, or None if it cannot be read."""
    try:
        response = await outbound.get(str(uri))
    except OutboundError:
        return None
    keys = (_members(response) or {}).get("keys") if response.status == 200 else None
    if not isinstance(keys, list):
        return None
    return frozenset(str(key["kid"]) for key in keys if isinstance(key, dict) and "kid" in key)


def _members(response: OutboundResponse) -> dict[str, Any] | None:
    try:
        return parse_json_object(response.body)
    except ValueError:
        return None


def _clock_ahead(response: OutboundResponse, now: float) -> float | None:
    """Return by how many seconds the server is ahead, from its `Date` (RFC 9110 section 6.6.1), in whole seconds.

    A cache in between leaves the date as it was, and says how long ago that is (`Age`, RFC 9111 section 5.1).
    """
    try:
        date = parsedate_to_datetime(response.headers["date"]).timestamp()
        return date + int(response.headers.get("age", "0")) - now
    except (KeyError, ValueError):
        return None
