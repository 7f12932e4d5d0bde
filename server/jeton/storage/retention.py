"""Deletion of expired rows, a limited number at a time."""

from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, delete, select

from jeton.storage.advisory_locks import AdvisoryLock, try_acquire


def is_only_deleter(connection: Connection) -> bool:
    """Return whether no other node is deleting now. If so, none begins until the end of this transaction."""
    return try_acquire(connection, AdvisoryLock.DELETION)


def delete_oldest(
    connection: Connection, key: Column[Any], age: Column[Any], condition: ColumnElement[bool], limit: int
) -> int:
    """Delete at most `limit` rows of a table, lowest `age` first, by its `key`. Return how many.

    Rows that other transactions have locked are left for the next call.
    """
    # In two statements: PostgreSQL may execute a subselect once for each row of the table, with different results.
    oldest = select(key).where(condition).order_by(age).limit(limit).with_for_update(skip_locked=True)
    found = connection.scalars(oldest).all()
    if found:
        connection.execute(delete(key.table).where(key.in_(found)))
    return len(found)
