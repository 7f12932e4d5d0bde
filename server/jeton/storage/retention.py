"""Rows that nothing can refer to any more, deleted a bounded number at a time."""

from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, delete, select


def delete_oldest(
    connection: Connection, key: Column[Any], age: Column[Any], condition: ColumnElement[bool], limit: int
) -> int:
    """Delete at most so many rows of a table, by its `key`, the first by `age` first; return how many.

    Rows that others hold are left for the next time.
    """
    # In two steps: PostgreSQL may run a subselect once for each row of the table, and find others each time.
    oldest = select(key).where(condition).order_by(age).limit(limit).with_for_update(skip_locked=True)
    found = connection.scalars(oldest).all()
    if found:
        connection.execute(delete(key.table).where(key.in_(found)))
    return len(found)
