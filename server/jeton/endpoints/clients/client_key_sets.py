"""The keys of clients: registered with them, or fetched from where they publish them (RFC 7591 section 2, jwks_uri)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec
import structlog

from jeton.endpoints.clients.outbound_clients import OutboundClients
from jeton.oauth.client_keys import MAX_KEY_SET_CHARACTERS, ClientKey, ClientKeysError, find_key, parse_client_keys
from jeton.oauth.clients import Client
from jeton.oauth.registration.unregistered_clients import describes_itself
from jeton.outbound.messages import OutboundError
from jeton.storage.clock import Clock

# A key that a client removes is refused after this time. While a key set cannot be fetched, the last one is used for
# longer, so that clients do not depend on one web server for each request.
FRESH_SECONDS: Final = 300
STALE_SECONDS: Final = 3600
# Between two fetches of one key set, also if a key is not found in it.
FETCH_INTERVAL_SECONDS: Final = 30
# Of clients of administrators, and of all others.
_MAX_CACHED: Final = 1000
_MEDIA_TYPES: Final = "application/jwk-set+json, application/json"

_Select: TypeAlias = Callable[[tuple[ClientKey, ...]], ClientKey | None]

log = structlog.get_logger("jeton.client_keys")


@dataclass(slots=True)
class _Published:
    """A published key set, and when it was fetched, and when that was tried last. Times are in seconds."""

    keys: tuple[ClientKey, ...] = ()
    fetched_at: int | None = None
    attempted_at: int | None = None
    fetching: asyncio.Task[None] | None = None


class ClientKeySets:
    """Finds keys. To be asked about existing clients only: others must not make this server send requests."""

    def __init__(self, outbound: OutboundClients, clock: Clock) -> None:
        self._outbound = outbound
        self._clock = clock
        self._published: dict[tuple[str, bool], _Published] = {}

    async def find(self, client: Client, kid: str | None, algorithm: str) -> ClientKey | None:
        """Return the client's key that a JWS header names, or None."""
        return await self._select(client, lambda keys: find_key(keys, kid, algorithm))

    async def find_certificate(self, client: Client, certificate: bytes) -> ClientKey | None:
        """Return the client's key with this certificate (DER), or None (RFC 8705 section 2.2)."""
        return await self._select(client, lambda keys: next((it for it in keys if it.certificate == certificate), None))

    async def _select(self, client: Client, select: _Select) -> ClientKey | None:
        """Return the selected key. A published key set is fetched when it is needed first, is old, or lacks the key."""
        if client.jwks is not None:
            return select(_registered_keys(client))
        if client.jwks_uri is None:
            return None
        published = self._cached(client, client.jwks_uri)
        if published.fetched_at is None or self._clock.now() >= published.fetched_at + FRESH_SECONDS:
            await self._fetch(client, published)
        key = select(self._usable(published))
        if key is None and await self._fetch(client, published):
            key = select(self._usable(published))
        return key

    def _usable(self, published: _Published) -> tuple[ClientKey, ...]:
        if published.fetched_at is None or self._clock.now() >= published.fetched_at + STALE_SECONDS:
            return ()
        return published.keys

    def _cached(self, client: Client, uri: str) -> _Published:
        """Return what is known of the key set. Clients of administrators share nothing with others, nor any room."""
        place = uri, describes_itself(client)
        published = self._published.get(place)
        if published is None:
            alike = [it for it in self._published if it[1] == place[1]]
            if len(alike) >= _MAX_CACHED:
                del self._published[alike[0]]
            published = self._published[place] = _Published()
        return published

    async def _fetch(self, client: Client, published: _Published) -> bool:
        """Fetch the key set, or wait for who is fetching it. Return False if that was tried a moment ago."""
        if published.fetching is None:
            now = self._clock.now()
            if published.attempted_at is not None and now < published.attempted_at + FETCH_INTERVAL_SECONDS:
                return False
            published.attempted_at = now
            # It continues if its first caller is cancelled.
            published.fetching = asyncio.create_task(self._fetch_now(client, published))
        await asyncio.shield(published.fetching)
        return True

    async def _fetch_now(self, client: Client, published: _Published) -> None:
        try:
            response = await self._outbound.of(client).get(client.jwks_uri or "", accept=_MEDIA_TYPES)
            if response.status != 200 or len(response.body) > MAX_KEY_SET_CHARACTERS:
                raise ClientKeysError(f"status {response.status}, {len(response.body)} bytes")
            published.keys = parse_client_keys(msgspec.json.decode(response.body))
            published.fetched_at = self._clock.now()
        except (OutboundError, ClientKeysError, ValueError, RecursionError) as error:
            log.warning("client_keys_not_fetched", client_id=client.client_id, detail=str(error))
        finally:
            published.fetching = None


def _registered_keys(client: Client) -> tuple[ClientKey, ...]:
    try:
        return parse_client_keys(client.jwks)
    except ClientKeysError:
        return ()
