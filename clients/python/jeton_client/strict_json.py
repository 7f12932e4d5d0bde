"""JSON objects, read so that no two readers can disagree about them (RFC 8259 section 4, RFC 8725 section 2.4)."""

import json
from typing import Any, Final

MOST_EXACT: Final = 2**53 - 1


def parse_object(text: bytes) -> dict[str, Any]:
    """The object; ValueError for anything else, for a name that comes twice, at any depth, and for NaN and Infinity."""
    try:
        parsed = json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(parsed, dict):
        raise ValueError("not an object")
    return parsed


def is_number(value: object) -> bool:
    """A number that every language reads alike: finite, and no further from zero than 2^53 - 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -MOST_EXACT <= value <= MOST_EXACT


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name comes twice")
    return members


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
