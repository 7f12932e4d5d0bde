"""Checks of a server's responses during a database outage."""

import asyncio
import time
from collections.abc import Sequence

from jeton.http.dispatch import DEADLINE_SECONDS
from jeton.oauth.metadata import JWKS_PATH, METADATA_PATHS
from support.refresh_load import Load, Session


async def assert_temporary_in_time(
    load: Load, resting: Sequence[Session], deadline_seconds: float = DEADLINE_SECONDS
) -> None:
    """Check that refresh, revoke and introspect answer 503 in time, without an idempotency key.

    503 (RFC 9110 section 15.6.4) says nothing about the token.
    """
    asked_at = time.monotonic()
    responses = await asyncio.gather(
        load.refresh(resting[0]),
        load.post("/oauth/revoke", resting[1].token),
        load.post("/oauth/introspect", resting[2].token),
    )
    assert time.monotonic() - asked_at < deadline_seconds + 2
    for response in responses:
        assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")
        assert int(response.headers["retry-after"]) >= 1
        assert response.headers["cache-control"] == "no-store"


async def assert_documents_answered(load: Load) -> None:
    """Check that key set, metadata and /livez are served without the database."""
    for path in ("/livez", JWKS_PATH, *METADATA_PATHS):
        assert (await load.http.get(load.urls[0] + path)).status_code == 200, path
