"""The audit trail: events become records in the transaction that makes them true (ADR 0037)."""

import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from sqlalchemy import Connection

from jeton.oauth.audit_events import AuditEvent, AuditRecord
from jeton.observability.origin import Origin, current_origin
from jeton.storage.audit_records import insert_audit_records
from jeton.storage.clock import Clock

# The execution option of a connection that holds the trail of its database.
AUDIT_TRAIL: Final = "audit_trail"


class Chain(Protocol):
    """Makes records, each of which is authenticated with the one before."""

    def ends_at(self, now: int) -> bool: ...

    def extend(self, events: Sequence[tuple[AuditEvent, Origin]], now: int) -> list[AuditRecord]: ...


class AuditTrail:
    """Writes records. Each thread that writes has a chain of its own, because its transactions follow each other."""

    def __init__(self, new_chain: Callable[[], Chain], clock: Clock) -> None:
        self._new_chain = new_chain
        self._clock = clock
        self._own = _OfThread()

    def begin(self) -> None:
        """Begin a transaction. If it is not known that the last one was committed, its chain is not continued."""
        if self._own.is_pending:
            self._own.chain, self._own.is_pending = None, False

    def append(self, connection: Connection, events: Sequence[tuple[AuditEvent, Origin]]) -> None:
        """Insert the records of these events."""
        own, now = self._own, self._clock.now()
        if own.chain is None or own.chain.ends_at(now):
            own.chain = self._new_chain()
        own.is_pending = True
        insert_audit_records(connection, own.chain.extend(events, now))

    def committed(self) -> None:
        """Note that the transaction is durable."""
        self._own.is_pending = False


class _OfThread(threading.local):
    chain: Chain | None = None
    is_pending: bool = False


def record(connection: Connection, *events: AuditEvent) -> None:
    """Record events of the request or command that is being served, within its transaction."""
    origin = current_origin.get()
    record_all(connection, [(event, origin) for event in events])


def record_all(connection: Connection, events: Sequence[tuple[AuditEvent, Origin]]) -> None:
    """Record events with their origins, unless the database has no trail."""
    trail: AuditTrail | None = connection.get_execution_options().get(AUDIT_TRAIL)
    if trail is not None and events:
        trail.append(connection, events)
