"""The law of introspection (RFC 7662 section 2.2): every check that applies, and who may know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jeton.oauth.clients import Client
from jeton.oauth.scope import format_scope, parse_scope
from jeton.oauth.sessions import Family
from jeton.oauth.users import User

INACTIVE: Final[Mapping[str, Any]] = {"active": False}

# What the token itself says is what its reader may know; user names are there only where the client was given them.
_MEMBERS: Final = (
    *("iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope"),
    *("sid", "auth_time", "amr", "roles", "preferred_username", "email"),
)

# How RFC 8693 section 2.2.1 describes a token that is no access token. A service that looks for a Bearer token with its
# own `aud`, as it must, does not mistake this one for it.
_NO_ACCESS_TOKEN: Final = {
    "token_type": "N_A",
    "issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token",
}


@dataclass(frozen=True, slots=True)
class TokenContext:
    """What is known, now, of a token's surroundings."""

    client: Client | None
    user: User | None
    family: Family | None
    token_is_revoked: bool = False
    key_is_published: bool = True


def introspect_access_token(
    claims: Mapping[str, Any], facts: TokenContext, caller: Client, caller_audience: tuple[str, ...], now: int
) -> Mapping[str, Any]:
    """The answer for an access token whose signature is ours."""
    owner = claims["client_id"] == caller.client_id
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if not owner and not (caller.introspect and not set(audience).isdisjoint(caller_audience)):
        return INACTIVE
    if (
        now >= claims["exp"]
        or facts.token_is_revoked
        or not facts.key_is_published
        or not _surroundings_are_live(claims, facts, now)
    ):
        return INACTIVE
    assert facts.client is not None
    active = {"active": True, "token_type": "Bearer"} | {name: claims[name] for name in _MEMBERS if name in claims}
    if "preferred_username" in claims:
        active["username"] = claims["preferred_username"]
    if "scope" in claims:
        allowed = parse_scope(claims["scope"]) & facts.client.scope
        if not allowed:
            return INACTIVE
        active["scope"] = format_scope(allowed)
    return active


def _surroundings_are_live(claims: Mapping[str, Any], facts: TokenContext, now: int) -> bool:
    """Client, user and session as they are now, not as they were at issue."""
    client, user, family = facts.client, facts.user, facts.family
    # A client deleted and registered again under its old name does not inherit tokens. A registration that is still to
    # come was stamped by a clock that was ahead, and says nothing of the order.
    if client is None or client.disabled or claims["iat"] < client.created_at <= now:
        return False
    if "sid" not in claims:
        return "client_credentials" in client.grant_types
    if family is None or family.revoked_at is not None or now >= family.absolute_expires_at:
        return False
    return user is not None and not user.disabled


def introspect_refresh_token(
    family: Family, generation: int, facts: TokenContext, caller: Client, issuer: str, now: int
) -> Mapping[str, Any]:
    """The answer for a genuine refresh token. Nobody but its owner may learn of it; a spent one is not active."""
    client = facts.client
    if family.client_id != caller.client_id or client is None or client.disabled:
        return INACTIVE
    if generation < family.generation or not family.is_live(now) or "refresh_token" not in client.grant_types:
        return INACTIVE
    if facts.user is None or facts.user.disabled:
        return INACTIVE
    active: dict[str, Any] = {
        "active": True,
        **_NO_ACCESS_TOKEN,
        "iss": issuer,
        "sub": family.sub,
        "client_id": family.client_id,
        "iat": family.rotated_at,
        "exp": min(family.idle_expires_at, family.absolute_expires_at),
        "sid": family.sid,
    }
    allowed = family.scope & client.scope
    if family.scope and not allowed:
        return INACTIVE
    return active | {"scope": format_scope(allowed)} if allowed else active
