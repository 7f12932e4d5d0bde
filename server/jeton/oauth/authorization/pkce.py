"""Proof key for code exchange (RFC 7636), with S256 only."""

import re
from collections.abc import Mapping
from typing import Final

from jeton.oauth.clients import Client
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.scope import Scope

CHALLENGE_METHODS: Final = ("S256",)
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def is_code_verifier(text: str) -> bool:
    """Return whether the text has the syntax of a code verifier (section 4.1)."""
    return _VERIFIER.fullmatch(text) is not None


def may_omit_challenge(client: Client, scope: Scope) -> bool:
    """Return whether the client may do without PKCE: RFC 9700 section 2.1.1 allows it where a nonce does its work.

    Only confidential web clients that are set so, for OpenID Connect requests.
    """
    is_exempt = not (client.require_pkce or client.public) and client.application_type == "web"
    return is_exempt and "openid" in scope


def parse_code_challenge(parameters: Mapping[str, str], *, required: bool) -> str | None:
    """Return the S256 challenge of an authorization request, or None if it has none and none is required.

    Raise OAuthError (invalid_request) for every other method: a missing one means `plain` (section 4.3).
    """
    challenge, method = parameters.get("code_challenge"), parameters.get("code_challenge_method")
    if challenge is None:
        if method is not None or required:
            raise OAuthError(ErrorCode.INVALID_REQUEST, "The parameter code_challenge is missing (PKCE, RFC 7636).")
        return None
    if method not in CHALLENGE_METHODS:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The parameter code_challenge_method must be S256.")
    if not _CHALLENGE.fullmatch(challenge):
        raise OAuthError(
            ErrorCode.INVALID_REQUEST, "The parameter code_challenge must be 43 characters of base64url (RFC 7636)."
        )
    return challenge
