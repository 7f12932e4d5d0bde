"""Members of client metadata (RFC 7591 section 2): each of its type, or OAuthError (invalid_client_metadata)."""

from collections.abc import Collection, Mapping
from typing import Any

from jeton.oauth.errors import ErrorCode, OAuthError


def parse_choice(metadata: Mapping[str, Any], name: str, choices: Collection[str], default: str) -> str:
    """Return one of these choices; the default without it."""
    value = parse_text(metadata, name) or default
    if value not in choices:
        raise invalid_metadata(f"{name} must be one of: {', '.join(sorted(choices))}.")
    return value


def parse_flag(metadata: Mapping[str, Any], name: str) -> bool:
    """Return whether it is true; False without it."""
    value = metadata.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid_metadata(f"{name} must be true or false.")
    return bool(value)


def parse_text(metadata: Mapping[str, Any], name: str) -> str | None:
    """Return a string; None without it. An empty one counts as left out (RFC 7591 section 2)."""
    value = metadata.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid_metadata(f"{name} must be a string.")
    return value or None


def parse_strings(metadata: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the strings of an array, each once, in order; none without it."""
    values = metadata.get(name)
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(it, str) for it in values):
        raise invalid_metadata(f"{name} must be an array of strings.")
    return tuple(dict.fromkeys(values))


def invalid_metadata(description: str) -> OAuthError:
    return OAuthError(ErrorCode.INVALID_CLIENT_METADATA, description)
