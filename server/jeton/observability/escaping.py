"""Text from outside, in logs and on terminals: what a terminal would obey, or would not show, is escaped."""

import json
from typing import Any


def escape(text: str) -> str:
    """Return the text on one line, with everything but letters, marks, signs and spaces escaped as \\x9b or \\u202e.

    That is C0, DEL and C1 controls, line and paragraph separators, controls of direction, and lone surrogates.
    """
    if text.isprintable():
        return text
    return "".join(it if it.isprintable() else it.encode("unicode_escape").decode() for it in text)


def encode_json(value: Any, indent: int | None = None) -> str:
    """Return JSON in printable ASCII; whatever JSON has no form for, as text."""
    separators = (",", ":") if indent is None else None
    return json.dumps(value, indent=indent, separators=separators, default=str)
