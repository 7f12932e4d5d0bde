"""Scope: a set of scope tokens (RFC 6749 section 3.3)."""

import re
from collections.abc import Iterable
from typing import Final

from jeton.oauth.errors import ErrorCode, OAuthError

Scope = frozenset[str]

MAX_CHARACTERS: Final = 2048
_TOKEN: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


def is_scope_token(text: str) -> bool:
    """Return whether the text is one scope token."""
    return _TOKEN.fullmatch(text) is not None


def parse_scope(text: str) -> Scope:
    """Parse a `scope` parameter. Raise OAuthError (invalid_scope) if it is malformed."""
    tokens = text.split(" ")
    if len(text) > MAX_CHARACTERS or not all(is_scope_token(token) for token in tokens):
        raise OAuthError(ErrorCode.INVALID_SCOPE, "scope_malformed")
    return frozenset(tokens)


def format_scope(scope: Iterable[str]) -> str:
    """Return the scope as text: sorted, with single spaces."""
    return " ".join(sorted(scope))
