"""SQL statements on what metrics show of the database: counts up to a maximum, and the oldest row of each kind."""

from typing import Any, Final

from sqlalchemy import Column, Connection, Select, Table, func, select

from jeton.storage.limited_counts import count_up_to
from jeton.storage.tables import (
    authorization_codes,
    browser_sessions,
    clients,
    ended_tokens,
    families,
    initial_access_tokens,
    invalid_statuses,
    logout_outbox,
    single_uses,
    throttle_buckets,
)

# By when a row may be deleted, of the tables whose expired rows maintenance deletes.
_EXPIRY: Final[tuple[Column[Any], ...]] = (
    authorization_codes.c.expires_at,
    browser_sessions.c.idle_expires_at,
    ended_tokens.c.expires_at,
    families.c.absolute_expires_at,
    initial_access_tokens.c.expires_at,
    invalid_statuses.c.expires_at,
    logout_outbox.c.expires_at,
    single_uses.c.expires_at,
    throttle_buckets.c.expires_at,
)


def count_rows(connection: Connection, now: int, limit: int) -> dict[str, int]:
    """Return the number of rows by kind. Each is counted up to `limit`: a large table takes no longer."""
    is_live = (families.c.absolute_expires_at > now) & families.c.revoked_at.is_(None)
    wanted: dict[str, Select[Any]] = {
        "sessions": select(families.c.sid).where(is_live),
        "browser_sessions": select(browser_sessions.c.idle_expires_at).where(browser_sessions.c.idle_expires_at > now),
        # Of others it is not recorded when they are used.
        "unregistered_clients": select(clients.c.last_used_at).where(clients.c.last_used_at.is_not(None)),
    }
    return {kind: count_up_to(connection, rows, limit) for kind, rows in wanted.items()}


def count_waiting_logouts(connection: Connection, limit: int) -> tuple[int, int | None]:
    """Return how many logout tokens are to be sent, up to `limit`, and when the oldest of them was created."""
    waiting = logout_outbox.c.next_attempt_at.is_not(None)
    rows = select(logout_outbox.c.created_at).where(waiting).limit(limit).subquery()
    count, oldest = connection.execute(select(func.count(), func.min(rows.c.created_at)).select_from(rows)).one()
    return count, oldest


def oldest_expired(connection: Connection, now: int) -> dict[str, int]:
    """Return for how many seconds the oldest row of each table has been expired; 0 if none has."""
    found = {_table(it).name: connection.scalar(select(it).order_by(it).limit(1)) for it in _EXPIRY}
    return {table: max(0, now - (at if at is not None else now)) for table, at in found.items()}


def _table(column: Column[Any]) -> Table:
    table = column.table
    assert isinstance(table, Table)
    return table
