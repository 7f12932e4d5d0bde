"""The ledger: decides requests and writes what they change, many in one transaction, and answers after its commit.

1. One transaction for all entries that are waiting: lock, then read, decide each entry, write all, commit.
2. Locks are taken in one order (lock_order.py). A row that another transaction has locked is skipped, and the
   entries that need it wait separately (row_lock_batches.py).
3. Nothing slow happens under a lock: hashing and signing are done outside.
4. A batch is run again only if the database has rolled it back. After a commit of unknown outcome nothing is repeated,
   because a refresh token would then look like a replay, and the session of its owner would be revoked.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from jeton.frozen import Frozen, field
from jeton.oauth.audit_events import AuditEvent, events_of
from jeton.oauth.clients import Client
from jeton.oauth.decisions import Decision
from jeton.oauth.sessions import Family
from jeton.oauth.users import User
from jeton.oauth.writes import Write
from jeton.observability.metrics import begin_rare_decisions, decisions_with
from jeton.observability.origin import Origin, current_origin
from jeton.storage.audit_trail import record_all
from jeton.storage.clients import load_clients
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.ledger.lock_order import LOCK_ORDER, LockContext
from jeton.storage.ledger.lock_requests import (
    Lock,
    LockClient,
    LockFamily,
    LockSessionsOf,
    LockSessionsOverLimit,
    LockUser,
)
from jeton.storage.ledger.session_limit import sessions_over_limit
from jeton.storage.ledger.transaction_rows import TransactionRows
from jeton.storage.ledger.writers import WRITERS
from jeton.storage.row_lock_batches import LOCK_TIMEOUT_MS, CallerGoneError, Pending, RowLockBatches, RowLockedError
from jeton.storage.users import load_users

D = TypeVar("D", bound=Decision)


class Facts(Frozen):
    """What an entry has locked, as it is now, and the user and client of a locked family.

    `sessions` are those that `LockSessionsOf` or `LockSessionsOverLimit` stands for. `rows` has the rows of all
    entries of the transaction, for locks of other kinds.
    """

    now: int
    family: Family | None
    user: User | None
    client: Client | None
    sessions: tuple[Family, ...]
    rows: TransactionRows


class Entry(Frozen, Generic[D]):
    """One decision to make, and what must be locked for it.

    `decide` is called under the locks: it must be quick and pure, and may be called several times. `origin` is the
    request that the entry is made for.
    """

    decide: Callable[[Facts], D]
    locks: tuple[Lock, ...] = ()
    origin: Origin = field(default_factory=current_origin.get)


class Ledger:
    """Decides and writes entries, many per commit."""

    def __init__(self, database: Database, clock: Clock, *, sessions_per_user: int = 0) -> None:
        """`sessions_per_user` is the maximum of open sessions of a user; 0: unlimited."""
        self._database = database
        self._clock = clock
        self._max_sessions = sessions_per_user
        begin_rare_decisions()
        self._batches = RowLockBatches[Entry[Any], Decision]("ledger", self._transaction, _rows_of)

    async def enter(self, entry: Entry[D]) -> D:
        """Return the decision once it is durable. Raise StorageUnavailableError if that is not known."""
        decision: Any = await self._batches(entry)
        return decision  # type: ignore[no-any-return]

    def close(self) -> None:
        self._batches.close()

    def _transaction(self, batch: Sequence[Pending[Entry[Any]]], *, wait: bool) -> list[Decision | Exception]:
        with self._database.write(lock_timeout_ms=LOCK_TIMEOUT_MS) as connection:
            rows = TransactionRows()
            skipped = self._lock(connection, rows, [lock for it in batch for lock in it.item.locks], wait=wait)
            _load_owners(connection, rows)
            now = self._clock.now()
            writes: list[Write] = []
            events: list[tuple[AuditEvent, Origin]] = []
            results = [self._result(it, skipped, rows, now, writes, events) for it in batch]
            _store(connection, rows, writes)
            # The last check before the commit: a cancelled caller was told to try again, so it must not be written.
            if any(
                it.is_cancelled and not isinstance(result, Exception) for it, result in zip(batch, results, strict=True)
            ):
                raise CallerGoneError
            record_all(connection, events)
        _count(results)
        return results

    def _lock(
        self, connection: Connection, rows: TransactionRows, requests: Sequence[Lock], *, wait: bool
    ) -> frozenset[Lock]:
        """Return the requests of which another transaction has locked a row."""
        context = LockContext(connection, rows, self._clock.now(), self._max_sessions, wait)
        return frozenset(it for lock_rows in LOCK_ORDER for it in lock_rows(context, requests))

    def _result(
        self,
        pending: Pending[Entry[Any]],
        skipped: frozenset[Lock],
        rows: TransactionRows,
        now: int,
        writes: list[Write],
        events: list[tuple[AuditEvent, Origin]],
    ) -> Decision | Exception:
        """Decide one entry. Later entries see what it writes."""
        if pending.is_cancelled:
            return CallerGoneError()
        entry = pending.item
        if not skipped.isdisjoint(entry.locks):
            return RowLockedError()
        decision: Decision = entry.decide(self._facts(entry, rows, now))
        wanted = decision.writes
        events.extend((it, entry.origin) for it in events_of(decision, wanted, rows.of(Family)))
        for write in wanted:
            writes.append(write)
            if show := WRITERS[type(write)].show:
                show(rows, write)
        return decision

    def _facts(self, entry: Entry[Any], rows: TransactionRows, now: int) -> Facts:
        family = user = client = None
        sessions: Iterable[Family] = ()
        for lock in entry.locks:
            match lock:
                case LockFamily(sid):
                    family = rows.of(Family).get(sid)
                case LockClient(client_id):
                    client = rows.of(Client).get(client_id)
                case LockUser(sub):
                    user = rows.of(User).get(sub)
                    sessions = self._sessions(lock, rows)
        if family is not None:
            user, client = rows.of(User).get(family.sub), rows.of(Client).get(family.client_id)
        return Facts(now, family, user, client, tuple(sessions), rows)

    def _sessions(self, lock: LockUser, rows: TransactionRows) -> Iterable[Family]:
        if isinstance(lock, LockSessionsOf):
            return [it for it in rows.of(Family).values() if it.sub == lock.sub and it.revoked_at is None]
        if isinstance(lock, LockSessionsOverLimit) and self._max_sessions:
            return sessions_over_limit(rows, lock.sub, self._max_sessions)
        return ()


def _store(connection: Connection, rows: TransactionRows, writes: Sequence[Write]) -> None:
    for kind, writer in WRITERS.items():
        if of_kind := [it for it in writes if type(it) is kind]:
            writer.store(connection, of_kind, rows)


def _count(results: Sequence[Decision | Exception]) -> None:
    """Count committed decisions, once for all that have the same reason."""
    for reason, count in Counter(it.reason for it in results if not isinstance(it, Exception)).items():
        decisions_with(reason).inc(count)


def _load_owners(connection: Connection, rows: TransactionRows) -> None:
    """Read the users and clients of the locked families, as far as they are not locked themselves."""
    families = rows.of(Family).values()
    rows.add(User, load_users(connection, {it.sub for it in families} - rows.of(User).keys()))
    rows.add(Client, load_clients(connection, {it.client_id for it in families} - rows.of(Client).keys()))


def _rows_of(entry: Entry[Any]) -> tuple[Hashable, ...]:
    """Return the rows of the entry that fix its order: entries over the same one are decided as they arrived."""
    return tuple(row for it in entry.locks if (row := it.row) is not None)
