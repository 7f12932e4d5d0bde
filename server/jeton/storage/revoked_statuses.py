"""SQL statements on status indexes that are INVALID. Each is deleted when no token with it can be accepted any more."""

from collections.abc import Iterable

from sqlalchemy import Connection, Select, bindparam, delete, select

from jeton.oauth.token_status_list import RevokedStatus
from jeton.storage.raw_statement import RawStatement
from jeton.storage.retention import delete_oldest
from jeton.storage.tables import invalid_statuses
from jeton.storage.upserts import insert_into

_LOAD = RawStatement(select(invalid_statuses.c.status_index).where(invalid_statuses.c.expires_at > bindparam("now")))


def insert_revoked_statuses(connection: Connection, statuses: Iterable[RevokedStatus | None]) -> None:
    """Insert statuses, and skip None. One that is stored already is left as it is."""
    # In one order everywhere, so that two servers that insert the same statuses do not deadlock.
    ordered = sorted((it for it in statuses if it is not None), key=lambda it: it.status_index)
    if ordered:
        rows = [{"status_index": it.status_index, "expires_at": it.expires_at} for it in ordered]
        connection.execute(insert_into(connection, invalid_statuses).on_conflict_do_nothing(), rows)


def insert_selected_statuses(connection: Connection, chosen: Select[tuple[int | None, int]]) -> None:
    """Insert the statuses that a query returns, as (status_index, expires_at)."""
    ordered = chosen.order_by(chosen.selected_columns[0])
    new = insert_into(connection, invalid_statuses).from_select(["status_index", "expires_at"], ordered)
    connection.execute(new.on_conflict_do_nothing())


def load_revoked_indexes(connection: Connection, now: int) -> list[int]:
    """Return all status indexes that are INVALID now."""
    return _LOAD.column(connection, now=now)


def delete_revoked_statuses(connection: Connection, chosen: Select[tuple[int | None]] | list[int | None]) -> None:
    """Make status indexes VALID again: those given, or those that a query returns."""
    connection.execute(delete(invalid_statuses).where(invalid_statuses.c.status_index.in_(chosen)))


def delete_expired_statuses(connection: Connection, now: int, limit: int) -> int:
    """Delete at most `limit` expired statuses and return how many."""
    return delete_oldest(
        connection,
        invalid_statuses.c.status_index,
        invalid_statuses.c.expires_at,
        invalid_statuses.c.expires_at <= now,
        limit,
    )
