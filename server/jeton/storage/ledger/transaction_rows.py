"""The rows that one transaction works on."""

from collections.abc import Mapping
from typing import Any, TypeVar

Value = TypeVar("Value")


class TransactionRows:
    """Rows by type and key, as they were read and as the decisions of the transaction have changed them since."""

    def __init__(self) -> None:
        self._current: dict[type[Any], dict[Any, Any]] = {}
        self._stored: dict[type[Any], dict[Any, Any]] = {}

    def of(self, kind: type[Value]) -> Mapping[Any, Value]:
        """Return the rows of a type as the next decision must see them."""
        return self._current.get(kind, {})

    def stored(self, kind: type[Value]) -> Mapping[Any, Value]:
        """Return the rows of a type as they were read."""
        return self._stored.get(kind, {})

    def add(self, kind: type[Value], rows: Mapping[Any, Value]) -> None:
        """Add rows that were read."""
        self._stored.setdefault(kind, {}).update(rows)
        self._current.setdefault(kind, {}).update(rows)

    def change(self, key: Any, value: object) -> None:
        """Let later decisions see a row that will be written."""
        self._current.setdefault(type(value), {})[key] = value

    def remove(self, kind: type[object], key: Any) -> None:
        """Let later decisions see that a row will be deleted."""
        self._current.get(kind, {}).pop(key, None)
