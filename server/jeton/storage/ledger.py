"""The ledger: the one door for everything that a request changes.

1. One transaction for all that is waiting: lock, then look, then decide each, write all, commit; answer only then.
2. Locks in one order: users by sub, then clients, then families by sid.
3. Nothing slow under a lock: hashing and signing happen outside.
4. A group is run again only where the database has undone it; after a commit of unknown outcome nothing is repeated,
   because a second look at a rotated family would take the honest client for a thief.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from jeton.oauth.decision import Decision, End, EndSessions, Issue
from jeton.oauth.model import Client, Family, User
from jeton.storage.clients import hold_clients, load_clients
from jeton.storage.clock import Clock
from jeton.storage.database import Database, StorageUnavailableError, was_rolled_back
from jeton.storage.ended_tokens import add_ended_tokens
from jeton.storage.families import add_families, lock_families, update_families
from jeton.storage.gather import Gather
from jeton.storage.session_room import SessionRoom
from jeton.storage.users import load_users, lock_users, store_new_passwords, store_rehashed_passwords

_ATTEMPTS: Final = 3
_GIVE_WAY_SECONDS: Final = 0.05

D = TypeVar("D", bound=Decision)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known under the lock: the family, and its owner and client as they are now.

    `sessions` are the user's that have not ended, where the entry is over all of them, and those that must end for one
    more, where it is over a new one.
    """

    now: int
    family: Family | None
    user: User | None
    client: Client | None
    sessions: tuple[Family, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry(Generic[D]):
    """One thing to decide: over the family `sid`, or over a new one of the user `sub` with the client `client_id`, or
    over all sessions of that user.

    `decide` is called under the lock: it must be quick, pure, and may be called again.
    """

    decide: Callable[[Facts], D]
    sid: str | None = None
    sub: str | None = None
    client_id: str | None = None
    all_sessions: bool = False

    @property
    def is_login(self) -> bool:
        return self.client_id is not None


@dataclass(slots=True, eq=False)
class _Asked:
    """An entry, and whether its caller has gone: who was told to try again later must not find it done."""

    entry: Entry[Any]
    given_up: bool = False


class _GivenUpError(Exception):
    """Nobody waits for the outcome any more."""


class Ledger:
    """Decides and writes entries, many per commit."""

    def __init__(self, database: Database, clock: Clock, *, sessions_per_user: int = 0) -> None:
        """No user has more open sessions than that; 0: any number."""
        self._sessions_per_user = sessions_per_user
        self._database = database
        self._clock = clock
        self._gather = Gather[_Asked, Any]("ledger", self._settle)

    async def enter(self, entry: Entry[D]) -> D:
        """The decision, once it is durable; StorageUnavailableError where that is not known."""
        asked = _Asked(entry)
        try:
            decision: D = await self._gather(asked)
        except asyncio.CancelledError:
            asked.given_up = True
            raise
        return decision

    def close(self) -> None:
        self._gather.close()

    def _settle(self, group: Sequence[_Asked]) -> Sequence[Decision | Exception]:
        """All together; where one of them is at fault, one by one."""
        try:
            return self._transaction_with_retries(group)
        except StorageUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - it is handed to the request it belongs to
            if len(group) > 1:
                return [self._settle_alone(asked) for asked in group]
            # A row that somebody keeps locked, or a user or client deleted just now: the next try will tell.
            return [StorageUnavailableError(str(error)) if isinstance(error, DBAPIError) else error]

    def _settle_alone(self, asked: _Asked) -> Decision | Exception:
        try:
            return self._settle([asked])[0]
        except StorageUnavailableError as error:
            return error

    def _transaction_with_retries(self, group: Sequence[_Asked]) -> list[Decision | Exception]:
        for _ in range(_ATTEMPTS):
            try:
                return self._transaction(group)
            except _GivenUpError:
                continue
            except DBAPIError as error:
                if not was_rolled_back(error):
                    raise
            # Whoever was let through instead must get its locks before we ask for them again.
            time.sleep(_GIVE_WAY_SECONDS)
        raise StorageUnavailableError(f"the database undid the transaction {_ATTEMPTS} times")

    def _transaction(self, group: Sequence[_Asked]) -> list[Decision | Exception]:
        entries = [asked.entry for asked in group]
        with self._database.write() as connection:
            users = lock_users(connection, {entry.sub for entry in entries if entry.sub is not None})
            clients = hold_clients(connection, {entry.client_id for entry in entries if entry.client_id is not None})
            logins = [entry.sub for entry in entries if entry.sub is not None and entry.is_login]
            room = SessionRoom(connection, self._clock.now(), logins, self._sessions_per_user)
            before = _lock_families(connection, entries, room)
            users |= load_users(connection, {family.sub for family in before.values()} - users.keys())
            clients |= load_clients(connection, {family.client_id for family in before.values()})
            now = self._clock.now()
            after = dict(before)
            results: list[Decision | Exception] = [
                _GivenUpError() if asked.given_up else _decide(asked.entry, after, users, clients, room, now)
                for asked in group
            ]
            decisions = [it for it in results if not isinstance(it, Exception)]
            add_families(connection, [family for sid, family in after.items() if sid not in before])
            update_families(
                connection, [family for sid, family in after.items() if before.get(sid, family) is not family]
            )
            add_ended_tokens(connection, [it.token for it in decisions if isinstance(it, End) and it.token])
            # The old password's hash first: a login may have upgraded it just before it was changed.
            store_rehashed_passwords(connection, _rehashed_passwords(decisions))
            store_new_passwords(connection, [it.user for it in decisions if isinstance(it, EndSessions) and it.user])
            # The last look before the commit: whoever left meanwhile has been told to try again, so it is done anew.
            if any(asked.given_up and not isinstance(it, Exception) for asked, it in zip(group, results, strict=True)):
                raise _GivenUpError
        return results


def _lock_families(connection: Connection, entries: Sequence[Entry[Any]], room: SessionRoom) -> dict[str, Family]:
    """All that may be changed: in one statement, because two would lock in two orders."""
    sids = {entry.sid for entry in entries if entry.sid is not None}
    subs = {entry.sub for entry in entries if entry.sub is not None and entry.all_sessions}
    return lock_families(connection, sids | room.crowded, subs)


def _decide(
    entry: Entry[Any],
    families: dict[str, Family],
    users: dict[str, User],
    clients: dict[str, Client],
    room: SessionRoom,
    now: int,
) -> Decision:
    """One decision; the next one over the same family sees what this one made of it."""
    family = families.get(entry.sid) if entry.sid is not None else None
    if family is None:
        sessions = _sessions_of(entry, families, room)
        facts = Facts(now, None, users.get(entry.sub or ""), clients.get(entry.client_id or ""), sessions)
    else:
        facts = Facts(now, family, users.get(family.sub), clients.get(family.client_id))
    decision: Decision = entry.decide(facts)
    if isinstance(decision, EndSessions):
        families |= {it.sid: it for it in decision.families}
        users |= {it.sub: it for it in (decision.user,) if it}
    elif decision.family is not None:
        families[decision.family.sid] = decision.family
    if isinstance(decision, Issue) and family is None and decision.family is not None:
        families |= {it.sid: it for it in decision.ended}
        room.opened(decision.family)
    return decision


def _sessions_of(entry: Entry[Any], families: dict[str, Family], room: SessionRoom) -> tuple[Family, ...]:
    """Also those that others of the group have just opened."""
    if entry.sub is not None and entry.is_login:
        return room.surplus(entry.sub, families)
    if not entry.all_sessions:
        return ()
    return tuple(it for it in families.values() if it.sub == entry.sub and it.revoked_at is None)


def _rehashed_passwords(decisions: Sequence[Decision]) -> list[tuple[str, str]]:
    return [
        (it.user.sub, it.rehashed_password)
        for it in decisions
        if isinstance(it, Issue) and it.user is not None and it.rehashed_password is not None
    ]
