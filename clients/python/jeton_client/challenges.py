"""Bearer tokens in requests, and responses to refused requests (RFC 6750, RFC 9110 section 11)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from jeton_client.errors import (
    ClientError,
    InsufficientScopeError,
    InvalidTokenError,
    MalformedRequestError,
    VerificationUnavailableError,
)

_B64TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


def bearer_token(authorization: Sequence[str]) -> str | None:
    """Return the token of a request with these Authorization headers, or None if there is no Bearer token.

    Tokens in the URL or the body are ignored. Raise MalformedRequestError if the header is malformed.
    """
    if not authorization:
        return None
    scheme, _, token = authorization[0].partition(" ")
    if len(authorization) > 1:
        raise MalformedRequestError("more than one Authorization header")
    if scheme.lower() != "bearer":
        return None
    token = token.strip(" ")
    if not _B64TOKEN.fullmatch(token):
        raise MalformedRequestError("no token after the scheme Bearer")
    return token


@dataclass(frozen=True, slots=True)
class Refusal:
    """The response to a refused request; its body is `{"error": error}`."""

    status: int
    error: str
    headers: dict[str, str] = field(default_factory=dict)


def refusal(realm: str, why: ClientError | None) -> Refusal:
    """Return the response for an error, or for None if the request had no token. It does not reveal a reason."""
    match why:
        case None:
            return _challenge(401, realm, "unauthorized")
        case InvalidTokenError():
            return _challenge(401, realm, "invalid_token", "The access token is not valid here.")
        case InsufficientScopeError(scope=scope):
            return _challenge(403, realm, "insufficient_scope", "The access token does not reach as far.", scope)
        case MalformedRequestError():
            return _challenge(400, realm, "invalid_request", "The Authorization header is malformed.")
        case VerificationUnavailableError(retry_after=seconds):
            return Refusal(503, "temporarily_unavailable", {"retry-after": str(max(1, ceil(seconds)))})
        case _:
            return Refusal(503, "temporarily_unavailable", {"retry-after": "1"})


def _challenge(status: int, realm: str, error: str, description: str = "", scope: str = "") -> Refusal:
    """Return a challenge (RFC 6750 section 3); without a token, it contains no error code."""
    parameters = {"realm": realm}
    if description:
        parameters |= {"error": error, "error_description": description}
    if scope:
        parameters["scope"] = scope
    quoted = ", ".join(f'{name}="{_quoted(value)}"' for name, value in parameters.items())
    return Refusal(status, error, {"www-authenticate": f"Bearer {quoted}"})


def _quoted(value: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", re.sub(r"[^\x20-\x7E]", "?", value))
