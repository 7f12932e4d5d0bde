"""The ledger: the one door for everything that a request changes.

1. One transaction for all that is waiting: lock, then look, then decide each, write all, commit; answer only then.
2. Locks in one order: users by sub, then clients, then families by sid. A row that somebody else has locked is skipped,
   and the entries that need it wait aside (row_lock_batches.py).
3. Nothing slow under a lock: hashing and signing happen outside.
4. A group is run again only where the database has undone it; after a commit of unknown outcome nothing is repeated,
   because a second look at a rotated family would take the honest client for a thief.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from jeton.oauth.clients import Client
from jeton.oauth.decisions import Decision, End, EndSessions, Issue
from jeton.oauth.sessions import Family
from jeton.oauth.users import User
from jeton.storage.clients import hold_clients, load_clients
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.families import insert_families, load_unended_sids, lock_families, update_families
from jeton.storage.revoked_access_tokens import insert_revoked_access_tokens
from jeton.storage.row_lock_batches import LOCK_TIMEOUT_MS, CallerGoneError, Pending, RowLockBatches, RowLockedError
from jeton.storage.row_locks import LockedRows
from jeton.storage.session_limit import SessionLimit
from jeton.storage.users import load_users, lock_users, store_new_passwords, store_rehashed_passwords

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


@dataclass(frozen=True, slots=True)
class _Locks:
    """What a batch has locked, and what it looked up on the way."""

    users: LockedRows[str, User]
    clients: LockedRows[str, Client]
    families: LockedRows[str, Family]
    unended: dict[str, set[str]]
    room: SessionLimit

    def are_missing_for(self, entry: Entry[Any]) -> bool:
        """Whether somebody else holds a row that this entry needs."""
        return (
            entry.sub in self.users.held_elsewhere
            or entry.client_id in self.clients.held_elsewhere
            or not self.families.held_elsewhere.isdisjoint(self._sids_of(entry))
        )

    def _sids_of(self, entry: Entry[Any]) -> set[str]:
        if entry.sub is None:
            return set() if entry.sid is None else {entry.sid}
        return self.unended.get(entry.sub, set()) if entry.all_sessions else self.room.crowded_of(entry.sub)


class Ledger:
    """Decides and writes entries, many per commit."""

    def __init__(self, database: Database, clock: Clock, *, sessions_per_user: int = 0) -> None:
        """No user has more open sessions than that; 0: any number."""
        self._sessions_per_user = sessions_per_user
        self._database = database
        self._clock = clock
        self._batches = RowLockBatches[Entry[Any], Decision]("ledger", self._transaction, _rows_of)

    async def enter(self, entry: Entry[D]) -> D:
        """The decision, once it is durable; StorageUnavailableError where that is not known."""
        decision: Any = await self._batches(entry)
        return decision  # type: ignore[no-any-return]

    def close(self) -> None:
        self._batches.close()

    def _transaction(self, batch: Sequence[Pending[Entry[Any]]], *, wait: bool) -> list[Decision | Exception]:
        with self._database.write(lock_timeout_ms=LOCK_TIMEOUT_MS) as connection:
            locks = self._lock(connection, [pending.item for pending in batch], wait=wait)
            before = locks.families.rows
            subs = {family.sub for family in before.values()} - locks.users.rows.keys()
            users = locks.users.rows | load_users(connection, subs)
            clients = locks.clients.rows | load_clients(connection, {family.client_id for family in before.values()})
            now = self._clock.now()
            after = dict(before)
            results = [_result(pending, locks, after, users, clients, now) for pending in batch]
            decisions = [it for it in results if not isinstance(it, Exception)]
            _write(connection, before, after, decisions)
            # The last look before the commit: whoever left meanwhile has been told to try again, so it is done anew.
            if any(
                it.given_up and not isinstance(result, Exception) for it, result in zip(batch, results, strict=True)
            ):
                raise CallerGoneError
        return results

    def _lock(self, connection: Connection, entries: Sequence[Entry[Any]], *, wait: bool) -> _Locks:
        """All that may be changed; families in one statement, because two would lock in two orders."""
        users = lock_users(connection, {it.sub for it in entries if it.sub is not None}, wait=wait)
        client_ids = {it.client_id for it in entries if it.client_id is not None}
        clients = hold_clients(connection, client_ids, wait=wait)
        logins = [it.sub for it in entries if it.sub is not None and it.is_login]
        room = SessionLimit(connection, self._clock.now(), logins, self._sessions_per_user)
        subs = {it.sub for it in entries if it.sub is not None and it.all_sessions}
        unended = load_unended_sids(connection, subs)
        sids = {it.sid for it in entries if it.sid is not None}
        families = lock_families(connection, sids.union(room.over_limit, *unended.values()), wait=wait)
        return _Locks(users, clients, families, unended, room)


def _rows_of(entry: Entry[Any]) -> tuple[str, ...]:
    """What two entries may be about; those of them are decided in the order they came in."""
    return tuple(it for it in (entry.sid, entry.sub) if it is not None)


def _result(
    pending: Pending[Entry[Any]],
    locks: _Locks,
    families: dict[str, Family],
    users: dict[str, User],
    clients: dict[str, Client],
    now: int,
) -> Decision | Exception:
    if pending.given_up:
        return CallerGoneError()
    if locks.are_missing_for(pending.item):
        return RowLockedError()
    return _decide(pending.item, families, users, clients, locks.room, now)


def _write(
    connection: Connection, before: dict[str, Family], after: dict[str, Family], decisions: Sequence[Decision]
) -> None:
    """Write all that was decided."""
    insert_families(connection, [family for sid, family in after.items() if sid not in before])
    update_families(connection, [family for sid, family in after.items() if before.get(sid, family) is not family])
    insert_revoked_access_tokens(connection, [it.token for it in decisions if isinstance(it, End) and it.token])
    # The old password's hash first: a login may have upgraded it just before it was changed.
    store_rehashed_passwords(connection, _rehashed_passwords(decisions))
    store_new_passwords(connection, [it.user for it in decisions if isinstance(it, EndSessions) and it.user])


def _decide(
    entry: Entry[Any],
    families: dict[str, Family],
    users: dict[str, User],
    clients: dict[str, Client],
    room: SessionLimit,
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


def _sessions_of(entry: Entry[Any], families: dict[str, Family], room: SessionLimit) -> tuple[Family, ...]:
    """Also those that others of the group have just opened."""
    if entry.sub is not None and entry.is_login:
        return room.excess(entry.sub, families)
    if not entry.all_sessions:
        return ()
    return tuple(it for it in families.values() if it.sub == entry.sub and it.revoked_at is None)


def _rehashed_passwords(decisions: Sequence[Decision]) -> list[tuple[str, str]]:
    return [
        (it.user.sub, it.rehashed_password)
        for it in decisions
        if isinstance(it, Issue) and it.user is not None and it.rehashed_password is not None
    ]
