"""The law of registration: which clients could work, and which would be unsafe (RFC 6749 section 2, RFC 9700).

And what a user may be called in tokens.
"""

import re
from collections.abc import Iterable
from typing import Final

from jeton.oauth.clients import Client
from jeton.oauth.origins import origin_rejection_reason
from jeton.oauth.scope import is_scope_token

_CLIENT_ID: Final = re.compile(r"[\x21-\x7E]([\x20-\x7E]{0,126}[\x21-\x7E])?")
_LOOKS_LIKE_A_SUB: Final = re.compile(r"u_[0-9a-f]{32}")
_SUB: Final = re.compile(r"[\x21-\x7E]{1,64}")

# So that the longest access token is one that may be presented (crypto/signed_jwt.py), whatever else is in it.
MAX_SCOPE_BYTES: Final = 1200
MAX_ROLES_BYTES: Final = 800
MAX_AUDIENCE_BYTES: Final = 800


class RegistrationError(Exception):
    """The client or the user cannot be registered so. The text says why, and what would do."""


def check_client_id(client_id: str) -> None:
    """RFC 6749 appendix A.1; and clients do not choose ids that look like users (RFC 9700 section 4.15)."""
    if not _CLIENT_ID.fullmatch(client_id) or _LOOKS_LIKE_A_SUB.fullmatch(client_id):
        raise RegistrationError("a client_id is 1 to 128 printable ASCII characters, and unlike a user's sub")


def check_sub(sub: str) -> None:
    """A `sub` from elsewhere: ASCII, as in OpenID Connect Core section 2. No client may have it as client_id."""
    if not _SUB.fullmatch(sub):
        raise RegistrationError("a sub is 1 to 64 printable ASCII characters without spaces")


def check_roles(roles: Iterable[str]) -> None:
    """A role is one word that can be seen. All of a user's go into every token."""
    roles = tuple(roles)
    if not all(role and role.isprintable() and " " not in role for role in roles):
        raise RegistrationError("a role must not be empty or hold white space or control characters")
    _check_size("the roles of a user", roles, MAX_ROLES_BYTES)


def check_client(it: Client) -> None:
    """Refuses what contradicts itself, could not work, or would be unsafe."""
    if it.public and (it.introspect or it.auth_methods or "client_credentials" in it.grant_types):
        raise RegistrationError(
            "a public client proves nothing: no --introspect, --auth-method or --grant client_credentials"
        )
    for token in it.scope | it.default_scope:
        if not is_scope_token(token):
            raise RegistrationError(
                f"{token!r} is no scope: printable ASCII without space, quote or backslash (RFC 6749 3.3)"
            )
    if not it.default_scope <= it.scope:
        raise RegistrationError("each --default-scope must be one of the client's --scope")
    if not all(is_audience(audience) for audience in it.audience):
        raise RegistrationError("an audience must not be empty or hold white space")
    _check_size("the scopes of a client", it.scope, MAX_SCOPE_BYTES)
    _check_size("the audiences of a client", it.audience, MAX_AUDIENCE_BYTES)
    for origin in sorted(it.origins):
        reason = origin_rejection_reason(origin)
        if reason is not None:
            raise RegistrationError(reason)


def _check_size(what: str, words: Iterable[str], most: int) -> None:
    size = sum(len(word.encode()) + 3 for word in words)
    if size > most:
        raise RegistrationError(
            f"{what} are too long together ({size} bytes, at most {most}): they go into every token"
        )


def is_audience(text: str) -> bool:
    """One word, as the `aud` of a token and the name that a service goes by."""
    return text != "" and text == "".join(text.split())
