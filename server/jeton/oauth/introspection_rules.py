"""Introspection rules (RFC 7662 section 2.2): whether a token is active, and which clients may know."""

from collections.abc import Mapping, Set
from typing import Any, Final

from jeton.frozen import Frozen
from jeton.oauth.access_token import audience_of
from jeton.oauth.clients import Client
from jeton.oauth.refresh_rotation import has_refresh_tokens
from jeton.oauth.scope import format_scope, parse_scope
from jeton.oauth.sender_constraints import confirmation_of
from jeton.oauth.sessions import Family
from jeton.oauth.users import User

INACTIVE: Final[Mapping[str, Any]] = {"active": False}

# Only claims of the token itself; user names are in it only if the client was allowed to have them.
_MEMBERS: Final = (
    *("iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope"),
    *("sid", "auth_time", "amr", "roles", "preferred_username", "email", "cnf"),
)

# A token that is not an access token, in the terms of RFC 8693 section 2.2.1. A resource server that checks token_type
# and `aud`, as it must, does not accept it as a Bearer token.
_REFRESH_TOKEN_TYPE: Final = {
    "token_type": "N_A",
    "issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token",
}


class TokenContext(Frozen):
    """The present state of a token's client, user, session and signing key."""

    client: Client | None
    user: User | None
    family: Family | None
    token_is_revoked: bool = False
    key_is_published: bool = True


def introspect_access_token(
    claims: Mapping[str, Any],
    context: TokenContext,
    caller: Client,
    caller_audience: tuple[str, ...],
    now: int,
    default_audience: str,
) -> Mapping[str, Any]:
    """Return the response for an access token with a valid signature.

    `default_audience` is that of tokens of clients without an audience of their own.
    """
    owner = claims["client_id"] == caller.client_id
    audience = audience_of(claims)
    if not owner and not (caller.introspect and not set(audience).isdisjoint(caller_audience)):
        return INACTIVE
    if (
        now >= claims["exp"]
        or context.token_is_revoked
        or not context.key_is_published
        or not _is_context_live(claims, context, now, {*audience} - {default_audience})
    ):
        return INACTIVE
    if context.client is None:
        return INACTIVE
    active = {"active": True, "token_type": confirmation_of(claims).token_type}
    active |= {name: claims[name] for name in _MEMBERS if name in claims}
    if "preferred_username" in claims:
        active["username"] = claims["preferred_username"]
    if "scope" in claims:
        allowed = parse_scope(claims["scope"]) & context.client.scope
        if not allowed:
            return INACTIVE
        active["scope"] = format_scope(allowed)
    return active


def _is_context_live(claims: Mapping[str, Any], context: TokenContext, now: int, own_audience: Set[str]) -> bool:
    """Return whether client, user and session still allow the token.

    If a client loses a resource, its users' sessions there end. Its own tokens have no session: their audience, without
    the default one, tells.
    """
    client, user, family = context.client, context.user, context.family
    # A client that was deleted and registered again does not inherit tokens. A registration in the future was stamped
    # by a clock that was ahead: its order is unknown.
    if client is None or client.disabled or claims["iat"] < client.created_at <= now:
        return False
    if "sid" not in claims:
        return "client_credentials" in client.grant_types and own_audience <= {*client.resources, *client.audience}
    if family is None or family.revoked_at is not None or now >= family.absolute_expires_at:
        return False
    return user is not None and not user.disabled


def introspect_refresh_token(
    family: Family, generation: int, context: TokenContext, caller: Client, issuer: str, now: int
) -> Mapping[str, Any]:
    """Return the response for a genuine refresh token: active only for its own client, and if it is the newest."""
    client = context.client
    if family.client_id != caller.client_id or client is None or client.disabled:
        return INACTIVE
    if generation < family.generation or not family.is_live(now) or not has_refresh_tokens(family, client):
        return INACTIVE
    if context.user is None or context.user.disabled:
        return INACTIVE
    active: dict[str, Any] = {
        "active": True,
        **_REFRESH_TOKEN_TYPE,
        "iss": issuer,
        "sub": family.sub,
        "client_id": family.client_id,
        "iat": family.rotated_at,
        "exp": family.expires_at,
        "sid": family.sid,
    }
    allowed = family.scope & client.scope
    if family.scope and not allowed:
        return INACTIVE
    return active | {"scope": format_scope(allowed)} if allowed else active
