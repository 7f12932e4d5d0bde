"""Queries that lock rows by their keys, and wait for locked rows or skip them."""

from collections.abc import Callable, Collection
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Select

from jeton.frozen import Frozen, field
from jeton.storage.raw_statement import RawStatement

Key = TypeVar("Key")
Value = TypeVar("Value")


class LockedRows(Frozen, Generic[Key, Value]):
    """Rows that are locked now, by key, and the keys of those that another transaction has locked."""

    rows: dict[Key, Value]
    skipped: frozenset[Key] = field(default_factory=frozenset)


class LockingQuery:
    """A query for rows by a list of keys, their first column. `load` is the same query without locks."""

    def __init__(self, query: Select[Any], load: RawStatement, **strength: Any) -> None:
        self._load = load
        self._waiting = RawStatement(query.with_for_update(**strength))
        self._skipping = RawStatement(query.with_for_update(skip_locked=True, **strength))

    def lock(
        self, connection: Connection, make: Callable[..., Value], *, wait: bool, **keys: Collection[str]
    ) -> LockedRows[str, Value]:
        """Lock and read the rows with these keys. SQLite has one lock for the whole database, and skips nothing."""
        ((name, wanted),) = keys.items()
        if not wanted:
            return LockedRows({})
        query = self._waiting if wait else self._skipping
        found = {row[0]: make(*row) for row in query.rows(connection, **keys)}
        missing = [] if wait else [key for key in wanted if key not in found]
        # Either locked by another transaction or missing; a missing row is not found without a lock either.
        existing = self._load.rows(connection, **{name: missing}) if missing else ()
        return LockedRows(found, frozenset(row[0] for row in existing))
