"""Counts up to a maximum, which take no longer on a large table."""

from typing import Any

from sqlalchemy import Connection, Select, func, select


def count_up_to(connection: Connection, rows: Select[Any], limit: int) -> int:
    """Return the number of these rows, or `limit` if there are as many or more."""
    return connection.scalar(select(func.count()).select_from(rows.limit(limit).subquery())) or 0
