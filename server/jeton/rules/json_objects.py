"""JSON objects that strangers send (RFC 8259): what is ambiguous or nested too deeply is refused."""

import json
import math
from typing import Any, Final

MAX_DEPTH: Final = 8


def parse_json_object(body: bytes) -> dict[str, Any]:
    """Return the object. Raise ValueError if the body is none, repeats a member, or is nested deeper than MAX_DEPTH."""
    try:
        # Without lone surrogates, which cannot be encoded again.
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_finite, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
        depth = _depth(value)
    except RecursionError:
        depth = MAX_DEPTH + 1
    if depth > MAX_DEPTH or not isinstance(value, dict):
        raise ValueError("not an object, or nested too deeply")
    return value


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a member is repeated")
    return found


def _finite(text: str) -> float:
    """Return the number. `NaN` and `Infinity` are not JSON, and `1e999` could not be written again."""
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is not a finite number")
    return number


def _depth(value: Any) -> int:
    """Return how many arrays and objects are inside each other."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)
