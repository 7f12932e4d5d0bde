"""Registration rules: validation of clients (RFC 6749 section 2, RFC 9700) and of users' `sub` and roles."""

import re
from collections.abc import Iterable, Set
from typing import Final

from jeton.oauth.clients import DYNAMIC, DYNAMIC_CLIENT_ID_PREFIX, Client
from jeton.oauth.cookie_mode import cookie_mode_rejection_reason
from jeton.oauth.origins import origin_rejection_reason
from jeton.oauth.registration.client_key_rules import key_rejection_reason
from jeton.oauth.registration.metadata_document_urls import is_document_url
from jeton.oauth.registration.redirection_rules import redirection_rejection_reason
from jeton.oauth.scope import is_scope_token

_CLIENT_ID: Final = re.compile(r"[\x21-\x7E]([\x20-\x7E]{0,126}[\x21-\x7E])?")
_LOOKS_LIKE_A_SUB: Final = re.compile(r"u_[0-9a-f]{32}")
_SUB: Final = re.compile(r"[\x21-\x7E]{1,64}")

# So that no access token is longer than what the server accepts (MAX_CHARACTERS of crypto/signed_jwt.py).
MAX_SCOPE_BYTES: Final = 1200
MAX_ROLES_BYTES: Final = 800
MAX_AUDIENCE_BYTES: Final = 800


class RegistrationError(Exception):
    """The client or user is not valid. The message says why, and what is allowed."""


def check_client_id(client_id: str) -> None:
    """Check the syntax (RFC 6749 appendix A.1), and that the id does not look like a `sub` (RFC 9700 section 4.15).

    Raise RegistrationError if it is not valid.
    """
    if is_document_url(client_id):
        return
    if not _CLIENT_ID.fullmatch(client_id) or _LOOKS_LIKE_A_SUB.fullmatch(client_id):
        raise RegistrationError(
            "a client_id must be 1 to 128 printable ASCII characters (512 if it is the URL of a metadata document), and"
            " must not look like a user's sub"
        )
    if client_id.startswith(DYNAMIC_CLIENT_ID_PREFIX):
        raise RegistrationError(
            f"a client_id that begins with {DYNAMIC_CLIENT_ID_PREFIX} is that of a client that registered itself"
        )


def check_sub(sub: str) -> None:
    """Check an imported `sub` (OpenID Connect Core section 2). Raise RegistrationError if it is not valid."""
    if not _SUB.fullmatch(sub):
        raise RegistrationError("a sub must be 1 to 64 printable ASCII characters without spaces")


def check_roles(roles: Iterable[str]) -> None:
    """Check a user's roles, which are in every token. Raise RegistrationError if they are not valid."""
    roles = tuple(roles)
    if not all(role and role.isprintable() and " " not in role for role in roles):
        raise RegistrationError("a role must not be empty or contain white space or control characters")
    _check_size("the roles of a user", roles, MAX_ROLES_BYTES)


def check_client(client: Client, confidential_grants: Set[str] = frozenset()) -> None:
    """Check the registration of a client. Raise RegistrationError if it is contradictory or unsafe.

    Public clients may not have `confidential_grants`.
    """
    if client.public and (client.introspect or client.auth_methods or client.grant_types & confidential_grants):
        grants = " ".join(sorted(confidential_grants))
        raise RegistrationError(
            f"a public client does not authenticate: --introspect, --auth-method and --grant {grants} are not allowed"
        )
    for token in client.scope | client.default_scope:
        if not is_scope_token(token):
            raise RegistrationError(
                f"{token!r} is not a scope: use printable ASCII without space, quote or backslash (RFC 6749 3.3)"
            )
    if client.first_party and client.registration == DYNAMIC:
        raise RegistrationError(
            "a client that registered itself can change its redirect URIs, so that users must be asked: without"
            " --first-party, or as a client of your own"
        )
    if not client.default_scope <= client.scope:
        raise RegistrationError("each --default-scope must be one of the client's --scope")
    if not all(is_audience(audience) for audience in client.audience):
        raise RegistrationError("an audience must not be empty or contain white space")
    _check_size("the scopes of a client", client.scope, MAX_SCOPE_BYTES)
    _check_size("the audiences of a client", client.audience, MAX_AUDIENCE_BYTES)
    _check_size("the resources of a client", client.resources, MAX_AUDIENCE_BYTES)
    reasons = map(origin_rejection_reason, sorted(client.origins))
    rules = (key_rejection_reason, redirection_rejection_reason, cookie_mode_rejection_reason)
    for reason in (*reasons, *(rule(client) for rule in rules)):
        if reason is not None:
            raise RegistrationError(reason)


def _check_size(what: str, words: Iterable[str], max_bytes: int) -> None:
    size = sum(len(word.encode()) + 3 for word in words)
    if size > max_bytes:
        raise RegistrationError(
            f"{what} are too long in total ({size} bytes, at most {max_bytes}): they are part of every token"
        )


def is_audience(text: str) -> bool:
    """Return whether the text can be an `aud` of a token: not empty, no white space."""
    return text != "" and text == "".join(text.split())
