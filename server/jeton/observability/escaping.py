"""Escaping of untrusted text in logs and on terminals: control characters and invisible characters."""

import json
from typing import Any


def escape(text: str) -> str:
    """Return the text on one line, with all unprintable characters escaped as \\x9b or \\u202e.

    They are C0, DEL and C1 controls, line and paragraph separators, direction controls, and lone surrogates.
    """
    if text.isprintable():
        return text
    return "".join(it if it.isprintable() else it.encode("unicode_escape").decode() for it in text)


def encode_json(value: Any, indent: int | None = None) -> str:
    """Return JSON in printable ASCII. Values of types that JSON does not have become strings."""
    separators = (",", ":") if indent is None else None
    return json.dumps(value, indent=indent, separators=separators, default=str)
