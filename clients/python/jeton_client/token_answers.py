"""Interpretation of responses (RFC 6749 sections 5.1 and 5.2, RFC 7009 section 2.2)."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from jeton_client.errors import RefusedError
from jeton_client.messages import Answer
from jeton_client.strict_json import is_number

MAX_RETRY_AFTER: Final = 60.0
_MAX_DESCRIPTION: Final = 200
_PASSING: Final = frozenset({408, 425, 429})
_PASSING_ERRORS: Final = frozenset({"server_error", "temporarily_unavailable"})


@dataclass(frozen=True, slots=True)
class Tokens:
    """Issued tokens. Times are seconds since 1970; `expires_at` is None if the server did not state it."""

    access_token: str = field(repr=False)
    received_at: float
    expires_at: float | None = None
    refresh_token: str | None = field(default=None, repr=False)
    scope: str | None = None
    id_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TryAgain:
    """A lost or unusable response: repeat the same request, `after` this number of seconds if the server states it."""

    after: float | None = None


def judge_token_answer(answer: Answer | None, asked_at: float) -> Tokens | TryAgain | RefusedError:
    """Interpret a token endpoint's response to a request that was sent at `asked_at`."""
    refusal = _refusal(answer)
    if refusal is not None or answer is None:
        return refusal or TryAgain()
    members = answer.json_object()
    if answer.status != 200 or members is None or not _is_text(members.get("access_token")):
        return TryAgain()
    if str(members.get("token_type")).lower() != "bearer":
        return RefusedError("unsupported_token_type", "the server issued a token that is not a Bearer token")
    return _tokens(members, asked_at)


def judge_revocation_answer(answer: Answer | None) -> TryAgain | RefusedError | None:
    """Return None if the token is revoked, or was invalid already."""
    refusal = _refusal(answer)
    if refusal is not None or answer is None:
        return refusal or TryAgain()
    return None if answer.status == 200 else TryAgain()


def refusal_of(answer: Answer) -> RefusedError:
    """Return the error in a response. Its text is shortened and made printable, because apps may show it."""
    members = answer.json_object() or {}
    error, description = members.get("error"), members.get("error_description")
    return RefusedError(
        printable(error) if _is_text(error) else f"http_{answer.status}",
        printable(description) if _is_text(description) else "",
    )


def retry_after(answer: Answer) -> float | None:
    """Return Retry-After in seconds (RFC 9110 section 10.2.3), at most a minute. Dates are ignored."""
    text = answer.headers.get("retry-after", "").strip()
    return min(float(text), MAX_RETRY_AFTER) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _refusal(answer: Answer | None) -> RefusedError | TryAgain | None:
    """Return None for a success. Its body is not read."""
    if answer is None or answer.status >= 500 or answer.status in _PASSING:
        return TryAgain(None if answer is None else retry_after(answer))
    if 200 <= answer.status < 300:
        return None
    refused = refusal_of(answer)
    return TryAgain(retry_after(answer)) if refused.error in _PASSING_ERRORS else refused


def _tokens(members: dict[str, Any], asked_at: float) -> Tokens | TryAgain:
    expires_in, scope = members.get("expires_in"), members.get("scope")
    refresh_token, id_token = members.get("refresh_token"), members.get("id_token")
    if expires_in is not None and not (is_number(expires_in) and expires_in > 0):
        return TryAgain()
    if any(token is not None and not _is_text(token) for token in (refresh_token, id_token)):
        return TryAgain()
    if scope is not None and not isinstance(scope, str):
        return TryAgain()
    return Tokens(
        members["access_token"],
        asked_at,
        None if expires_in is None else asked_at + expires_in,
        refresh_token,
        scope,
        id_token,
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def printable(value: object) -> str:
    """Return the text in printable ASCII, shortened, because apps may show it."""
    return re.sub(r"[^\x20-\x7E]", "?", str(value))[:_MAX_DESCRIPTION]
