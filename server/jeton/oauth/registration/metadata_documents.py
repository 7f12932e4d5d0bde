"""Client ID metadata documents: which are valid, and for how long (draft-ietf-oauth-client-id-metadata-document-02)."""

import re
from collections.abc import Mapping
from email.utils import mktime_tz, parsedate_tz
from typing import Final

from jeton.oauth.client_keys import ClientKeysError, parse_client_keys
from jeton.oauth.clients import NONE, PRIVATE_KEY_JWT
from jeton.oauth.errors import OAuthError
from jeton.oauth.registration.client_metadata import ClientMetadata, parse_client_metadata
from jeton.rules.json_objects import parse_json_object

# Section 6.6 recommends this size. It is a hard limit.
MAX_DOCUMENT_BYTES: Final = 5 * 1024
MIN_CACHE_SECONDS: Final = 300
MAX_CACHE_SECONDS: Final = 86400
# Of a document whose server says nothing.
DEFAULT_CACHE_SECONDS: Final = 3600
# How long it is remembered that there is no valid document.
FAILURE_SECONDS: Final = 60

# There is no way to agree on a secret (section 4.1).
_AUTH_METHODS: Final = (NONE, PRIVATE_KEY_JWT)
_SECRETS: Final = frozenset({"client_secret", "client_secret_expires_at"})
_JSON_TYPE: Final = re.compile(r"application/([a-z0-9!#$&^_.-]+\+)?json")
_DIRECTIVE: Final = re.compile(r'([a-z-]+)(?:="?([0-9]{1,9})"?)?')


class MetadataDocumentError(Exception):
    """There is no valid document at the URL. `reason` is a fixed word or sentence for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse_document(url: str, status: int, headers: Mapping[str, str], body: bytes) -> ClientMetadata:
    """Return what the document of this URL says of the client (sections 4 and 4.1).

    `status`, `headers` (names in lower case) and `body` are those of the response. Raise MetadataDocumentError unless
    it is a valid document of this URL.
    """
    if status != 200:
        raise MetadataDocumentError("status_not_200")
    if not _JSON_TYPE.fullmatch(headers.get("content-type", "").partition(";")[0].strip().lower()):
        raise MetadataDocumentError("content_type_not_json")
    try:
        document = parse_json_object(body)
    except ValueError:
        raise MetadataDocumentError("document_not_json") from None
    if document.get("client_id") != url:
        raise MetadataDocumentError("client_id_is_not_the_url")
    if _SECRETS & document.keys():
        raise MetadataDocumentError("document_with_secret")
    try:
        if "jwks" in document:
            parse_client_keys(document["jwks"])
        return parse_client_metadata(document, _AUTH_METHODS, NONE)
    except ClientKeysError as error:
        raise MetadataDocumentError(str(error)) from None
    except OAuthError as error:
        raise MetadataDocumentError(error.reason) from None


def cache_seconds(headers: Mapping[str, str]) -> int:
    """Return how long a valid document may be used (RFC 9111 section 4.2.1), within the limits of this server."""
    control = dict(_DIRECTIVE.findall(headers.get("cache-control", "").lower()))
    if control.keys() & {"no-store", "no-cache", "private"}:
        return MIN_CACHE_SECONDS
    age = headers.get("age", "")
    lifetime = _lifetime(control, headers)
    if lifetime is None:
        return DEFAULT_CACHE_SECONDS
    fresh = lifetime - (int(age) if re.fullmatch("[0-9]{1,9}", age) else 0)
    return max(MIN_CACHE_SECONDS, min(fresh, MAX_CACHE_SECONDS))


def _lifetime(control: Mapping[str, str], headers: Mapping[str, str]) -> int | None:
    """Return the freshness lifetime that the server states, in seconds, or None if it states none."""
    for directive in ("s-maxage", "max-age"):
        if control.get(directive):
            return int(control[directive])
    if "expires" not in headers:
        return None
    expires, date = parsedate_tz(headers["expires"]), parsedate_tz(headers.get("date", ""))
    try:
        # Section 5.3: what is not a date is in the past.
        return 0 if expires is None or date is None else int(mktime_tz(expires) - mktime_tz(date))
    except (ValueError, OverflowError):
        return 0
