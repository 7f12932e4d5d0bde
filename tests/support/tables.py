"""Tables of test cases, grouped by expected result."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def rows(groups: Mapping[K, Iterable[V]]) -> list[tuple[K, V]]:
    """Return a row for each case: the expected result and the case."""
    return [(outcome, case) for outcome, cases in groups.items() for case in cases]
