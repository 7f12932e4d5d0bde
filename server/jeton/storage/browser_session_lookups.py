"""Lookups for pages, in batches: who is signed in, what they have allowed, and what their account page shows."""

from collections.abc import Mapping, Sequence

from jeton.frozen import Frozen
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.clients import Client
from jeton.oauth.consents import Consent
from jeton.oauth.resources import Resource
from jeton.oauth.sessions import Family
from jeton.oauth.users import User
from jeton.storage.batching import Batcher
from jeton.storage.browser_sessions import find_browser_sessions, list_browser_sessions, record_use
from jeton.storage.clients import load_clients, load_logo
from jeton.storage.clock import Clock
from jeton.storage.consents import list_consents, load_consents
from jeton.storage.database import Database
from jeton.storage.family_lists import list_families
from jeton.storage.resources import load_resources
from jeton.storage.users import load_users


class Visitor(Frozen):
    """A user who is signed in in a browser."""

    session: BrowserSession
    user: User


class AccountOverview(Frozen):
    """What a user's account page shows: all that is live."""

    browser_sessions: Sequence[BrowserSession]
    families: Sequence[Family]
    consents: Sequence[Consent]
    clients: Mapping[str, Client]
    resources: Mapping[str, Resource]


class BrowserSessionLookups:
    """Browser sessions, consents and account overviews. All are read from the database each time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._visitors = Batcher[bytes, Visitor | None]("browsers", self._read_visitors)
        self._consents = Batcher[tuple[str, str], Consent | None]("consents", self._read_consents)
        self._logos = Batcher[str, bytes | None]("logos", self._read_logos)
        self._overviews = Batcher[str, AccountOverview]("accounts", self._read_overviews)
        self._uses = Batcher[tuple[str, int, int], None]("browser uses", self._write_uses)

    async def visitor(self, secret_digest: bytes) -> Visitor | None:
        """Return who is signed in: the session is live and the user is not disabled; else None."""
        return await self._visitors(secret_digest)

    async def consent(self, sub: str, client_id: str) -> Consent | None:
        """Return what the user has allowed the client."""
        return await self._consents((sub, client_id))

    async def logo(self, client_id: str) -> bytes | None:
        """Return a client's logo, or None if it has none."""
        return await self._logos(client_id)

    async def overview(self, sub: str) -> AccountOverview:
        """Return what the user's account page shows."""
        return await self._overviews(sub)

    async def record_use(self, browser_session_id: str, used_at: int, idle_expires_at: int) -> None:
        """Store that the session is used, and when it expires without further use."""
        await self._uses((browser_session_id, used_at, idle_expires_at))

    def close(self) -> None:
        for batcher in (self._visitors, self._consents, self._logos, self._overviews, self._uses):
            batcher.close()

    def _read_visitors(self, digests: Sequence[bytes]) -> list[Visitor | None]:
        with self._database.read() as connection:
            sessions = find_browser_sessions(connection, set(digests))
            users = load_users(connection, {it.sub for it in sessions.values()})
        now = self._clock.now()

        def visitor_of(digest: bytes) -> Visitor | None:
            session = sessions.get(digest)
            user = None if session is None else users.get(session.sub)
            if session is None or user is None or user.disabled or not session.is_live(now):
                return None
            return Visitor(session, user)

        return [visitor_of(digest) for digest in digests]

    def _read_consents(self, keys: Sequence[tuple[str, str]]) -> list[Consent | None]:
        with self._database.read() as connection:
            found = load_consents(connection, set(keys))
        return [found.get(key) for key in keys]

    def _read_logos(self, client_ids: Sequence[str]) -> list[bytes | None]:
        with self._database.read() as connection:
            return [load_logo(connection, it) for it in client_ids]

    def _read_overviews(self, subs: Sequence[str]) -> list[AccountOverview]:
        with self._database.read() as connection:
            now = self._clock.now()
            found = []
            for sub in subs:
                families = [it for it in list_families(connection, now, sub=sub) if it.is_redeemed]
                consents = list_consents(connection, sub=sub)
                client_ids = {it.client_id for it in families} | {it.client_id for it in consents}
                sessions = list_browser_sessions(connection, now, sub)
                clients = load_clients(connection, client_ids)
                resources = load_resources(connection, {uri for it in consents for uri in it.resources})
                found.append(AccountOverview(sessions, families, consents, clients, resources))
        return found

    def _write_uses(self, uses: Sequence[tuple[str, int, int]]) -> list[None]:
        with self._database.write() as connection:
            # In one order everywhere, so that two servers do not deadlock.
            record_use(connection, sorted(uses))
        return [None] * len(uses)
