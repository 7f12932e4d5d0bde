"""Access tokens: their claims (RFC 9068 section 2.2), and the token response (RFC 6749 section 5.1)."""

from collections.abc import Mapping
from typing import Any

from jeton.oauth.decisions import Issue
from jeton.oauth.scope import format_scope
from jeton.oauth.sender_constraints import BEARER, UNBOUND, Confirmation
from jeton.oauth.token_status_list import status_claim


def access_token_claims(
    issue: Issue,
    *,
    issuer: str,
    access_seconds: int,
    status_lists: bool = False,
    confirmation: Confirmation = UNBOUND,
) -> dict[str, Any]:
    """Return the claims set without `jti`, which may be derived from it. `roles` as in RFC 9068 section 2.2.3.1.

    `status` is in it if the server has status lists.

    `cnf` names the keys that the token is bound to, if there are any (RFC 7800 section 3.1).

    A user's token with the scope `openid` is for the userinfo endpoint too, so that its audience includes the issuer.
    """
    family, user, client, audience = issue.family, issue.user, issue.client, issue.audience
    if user and "openid" in issue.scope and issuer not in audience:
        audience = (*audience, issuer)
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": user.sub if user else client.client_id,
        "aud": audience[0] if len(audience) == 1 else list(audience),
        "exp": family.access_end(issue.issued_at, access_seconds) if family else issue.issued_at + access_seconds,
        "iat": issue.issued_at,
        "client_id": client.client_id,
    }
    if issue.scope:
        claims["scope"] = format_scope(issue.scope)
    if family:
        claims |= {"sid": family.sid, "auth_time": family.auth_time, "amr": list(family.amr)}
    if user:
        claims["roles"] = list(user.roles)
        if "preferred_username" in client.claims:
            claims["preferred_username"] = user.username
        if "email" in client.claims and user.email:
            claims["email"] = user.email
    if cnf := confirmation.claim:
        claims["cnf"] = cnf
    status_index = family.status_index if family else client.status_index
    if status_lists and status_index is not None:
        claims["status"] = status_claim(issuer, status_index)
    return claims


def audience_of(claims: Mapping[str, Any]) -> list[str]:
    """Return the audience of an access token that was issued here, which is one string or an array of them."""
    return claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]


def token_response(
    claims: dict[str, Any],
    access_token: str,
    refresh_token: str | None,
    id_token: str | None = None,
    token_type: str = BEARER,
) -> dict[str, Any]:
    """Return the token response, with an ID token if one is due (OpenID Connect Core section 3.1.3.3).

    It always states the granted scope (RFC 6749 section 3.3).
    """
    response = {"access_token": access_token, "token_type": token_type, "expires_in": claims["exp"] - claims["iat"]}
    if refresh_token is not None:
        response["refresh_token"] = refresh_token
    if id_token is not None:
        response["id_token"] = id_token
    if "scope" in claims:
        response["scope"] = claims["scope"]
    return response
