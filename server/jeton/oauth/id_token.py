"""ID token claims (OpenID Connect Core sections 2 and 12.2)."""

from collections.abc import Collection
from typing import Any, Final

from jeton.oauth.authorization.authorization_errors import AuthorizationRefusedError
from jeton.oauth.authorization.authorization_request import AuthorizationRequest, error_response
from jeton.oauth.clients import Client
from jeton.oauth.decisions import Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.registration.unregistered_clients import is_described_by_document
from jeton.oauth.sessions import Family

OPENID: Final = "openid"


def signed_in_family(issue: Issue) -> Family | None:
    """Return the family if an ID token is due: the user was sent here by the client, and `openid` is granted."""
    family = issue.family
    if family is None or family.code_expires_at is None or OPENID not in issue.scope:
        return None
    return family


def check_id_token_algorithm(request: AuthorizationRequest, client: Client, algorithms: Collection[str]) -> None:
    """Raise AuthorizationRefusedError if no ID token can be signed as the client is registered for.

    `algorithms` can be signed with now. One that an administrator has chosen follows in a few minutes: its key has to
    reach all caches first. No key is made for a metadata document.
    """
    if OPENID not in request.scope or client.id_token_alg in algorithms:
        return
    error, sentence = ErrorCode.INVALID_REQUEST, f"This server does not sign ID tokens with {client.id_token_alg}"
    if not is_described_by_document(client):
        error, sentence = ErrorCode.TEMPORARILY_UNAVAILABLE, f"{sentence} yet; try again in a few minutes"
    raise AuthorizationRefusedError(error_response(request, error, f"{sentence}."), "id_token_algorithm_not_available")


def id_token_claims(
    issue: Issue, family: Family, *, issuer: str, expires_at: int, at_hash: str, sid: str | None
) -> dict[str, Any]:
    """Return the claims. What is not known is left out.

    `auth_time` and `amr` say when and how the user authenticated, which a refresh does not change. The nonce is that of
    the authorization request; a token of a refresh has none. `sid` is that of the browser session for this client.
    """
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": family.sub,
        "aud": family.client_id,
        "exp": expires_at,
        "iat": issue.issued_at,
        "auth_time": family.auth_time,
        "amr": list(family.amr),
        "at_hash": at_hash,
    }
    if issue.nonce is not None:
        claims["nonce"] = issue.nonce
    if sid is not None:
        claims["sid"] = sid
    return claims
