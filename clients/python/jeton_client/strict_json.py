"""Strict JSON objects, on which all parsers agree (RFC 8259 section 4, RFC 8725 section 2.4)."""

import json
import re
from typing import Any, Final

MAX_EXACT: Final = 2**53 - 1
MAX_DEPTH: Final = 64
_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)


def parse_object(text: bytes, *, unique_names: bool = True) -> dict[str, Any]:
    """Return the object. Raise ValueError for anything else, for NaN and Infinity, and beyond 64 levels.

    Raise it also for duplicate names, at any depth; without `unique_names`, the last one counts.
    """
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH:  # rarely true: most texts need no exact check
        _check_depth(text)
    try:
        parsed = json.loads(text.decode(), object_pairs_hook=_unique if unique_names else None, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(parsed, dict):
        raise ValueError("not an object")
    return parsed


def is_number(value: object) -> bool:
    """Return whether it is a number that all languages parse alike: finite, magnitude at most 2^53 - 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -MAX_EXACT <= value <= MAX_EXACT


def _check_depth(text: bytes) -> None:
    depth = 0
    for token in _TOKENS.findall(text):
        depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(token, 0)
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate name")
    return members


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
