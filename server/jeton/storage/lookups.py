"""Lookups for requests, in batches.

Users, sessions and tokens are always read from the database. Clients are cached for client authentication, and the
resources that they may use, until the next maintenance run; decisions about a session read the client under their locks
(ADR 0005).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, TypeVar

from sqlalchemy import Connection

from jeton.frozen import Frozen
from jeton.oauth.clients import Client
from jeton.oauth.introspection_rules import TokenContext
from jeton.oauth.resources import Resource
from jeton.oauth.sessions import Family
from jeton.oauth.users import User
from jeton.storage.batching import Batcher
from jeton.storage.clients import load_clients
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.families import load_families
from jeton.storage.family_lists import list_families
from jeton.storage.resources import load_resources
from jeton.storage.revoked_access_tokens import load_revoked_access_tokens
from jeton.storage.signing_keys import load_published_kids
from jeton.storage.users import find_users, load_users

# Of clients, and of resources.
_MAX_CACHED: Final = 10_000

Value = TypeVar("Value")


class TokenSubject(Frozen):
    """The identifiers in a token; None for those that it does not have."""

    client_id: str | None = None
    sub: str | None = None
    sid: str | None = None
    jti: str | None = None
    kid: str | None = None


class Lookups:
    """Clients, users, sessions, and the context of tokens."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._cached_clients: dict[str, Client] = {}
        self._cached_resources: dict[str, Resource] = {}
        self._clients = Batcher[str, Client | None]("clients", self._read_by_key(load_clients))
        self._resources = Batcher[str, Resource | None]("resources", self._read_by_key(load_resources))
        self._users = Batcher[str, User | None]("users", self._read_by_key(find_users))
        self._token_contexts = Batcher[TokenSubject, TokenContext]("tokens", self._read_token_contexts)
        self._families = Batcher[str, Family | None]("families", self._read_by_key(load_families))
        self._sessions = Batcher[str, list[Family]]("sessions", self._read_sessions)

    async def client(self, client_id: str, *, fresh: bool = False) -> Client | None:
        """Return the client, from the cache unless `fresh`, or None if there is none."""
        known = None if fresh else self._cached_clients.get(client_id)
        if known is None:
            known = await self._clients(client_id)
            if known is not None and len(self._cached_clients) < _MAX_CACHED:
                self._cached_clients[client_id] = known
        return known

    def known_client(self, client_id: str) -> Client | None:
        """Return the client if it is cached."""
        return self._cached_clients.get(client_id)

    async def resources(self, uris: Sequence[str]) -> tuple[Resource, ...]:
        """Return the resources with these URIs, from the cache if they are there. Unknown ones are left out."""
        cached, found = self._cached_resources, []
        for uri in uris:
            resource = cached.get(uri) or await self._resources(uri)
            if resource is not None:
                found.append(resource)
                if len(cached) < _MAX_CACHED:
                    cached[uri] = resource
        return tuple(found)

    def clear_client_cache(self) -> None:
        """Let clients, and the resources that they may use, be read from the database again."""
        self._cached_clients, self._cached_resources = {}, {}

    async def user(self, login_key: str) -> User | None:
        return await self._users(login_key)

    async def token_context(self, subject: TokenSubject) -> TokenContext:
        return await self._token_contexts(subject)

    async def owner_of(self, sid: str) -> str | None:
        """Return the `sub` of a family's user, or None if there is no such family."""
        family = await self._families(sid)
        return None if family is None else family.sub

    async def sessions(self, sub: str) -> list[Family]:
        """Return the live sessions of a user, last used first, 1000 at most."""
        return await self._sessions(sub)

    def close(self) -> None:
        for batcher in (self._clients, self._resources, self._users, self._token_contexts, self._families):
            batcher.close()
        self._sessions.close()

    def _read_by_key(
        self, load: Callable[[Connection, Collection[str]], Mapping[str, Value]]
    ) -> Callable[[Sequence[str]], Sequence[Value | None]]:
        def read(keys: Sequence[str]) -> Sequence[Value | None]:
            with self._database.read() as connection:
                found = load(connection, set(keys))
            return [found.get(key) for key in keys]

        return read

    def _read_sessions(self, subs: Sequence[str]) -> list[list[Family]]:
        with self._database.read() as connection:
            now = self._clock.now()
            return [list_families(connection, now, sub=sub) for sub in subs]

    def _read_token_contexts(self, subjects: Sequence[TokenSubject]) -> list[TokenContext]:
        with self._database.read() as connection:
            return load_token_contexts(connection, subjects, self._clock.now())


def load_token_contexts(connection: Connection, subjects: Sequence[TokenSubject], now: int) -> list[TokenContext]:
    """Return what the validity of each token depends on, as it is now."""
    families = load_families(connection, {it.sid for it in subjects if it.sid})
    subs = {it.sub for it in subjects if it.sub} | {family.sub for family in families.values()}
    users = load_users(connection, subs)
    client_ids = {it.client_id for it in subjects if it.client_id}
    clients = load_clients(connection, client_ids | {family.client_id for family in families.values()})
    ended = load_revoked_access_tokens(connection, {it.jti for it in subjects if it.jti})
    published = load_published_kids(connection, {it.kid for it in subjects if it.kid}, now)

    def context_of(subject: TokenSubject) -> TokenContext:
        family = families.get(subject.sid or "")
        client = clients.get(subject.client_id or (family.client_id if family else ""))
        user = users.get(subject.sub or (family.sub if family else ""))
        return TokenContext(client, user, family, subject.jti in ended, subject.kid is None or subject.kid in published)

    return [context_of(subject) for subject in subjects]
