"""Rows that nothing can refer to any more, deleted a bounded number at a time."""

from typing import Any

from sqlalchemy import Column, Connection, delete, select


def forget_past(connection: Connection, key: Column[Any], ends_at: Column[int], now: int, most: int) -> int:
    """Deletes at most so many rows of a table, by its `key`, whose `ends_at` has come; says how many.

    Rows that others hold are left for the next time.
    """
    # In two steps: PostgreSQL may run a subselect once for each row of the table, and find others each time.
    past = connection.scalars(select(key).where(ends_at <= now).limit(most).with_for_update(skip_locked=True)).all()
    if past:
        connection.execute(delete(key.table).where(key.in_(past)))
    return len(past)
