"""Explains a token to an administrator: what it holds, whether it is active, and if not, why."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from jeton.crypto.master_key import MasterKeys
from jeton.crypto.refresh_token import PresentedRefreshToken, RefreshTokens
from jeton.crypto.signed_jwt import ACCESS_TOKEN, Verifier, unverified_parts
from jeton.frozen import Frozen
from jeton.oauth.introspection_rules import TokenContext, introspect_access_token, introspect_refresh_token
from jeton.storage.lookups import TokenSubject, load_token_contexts
from jeton.storage.signing_keys import load_signing_keys


class Inspection(Frozen):
    """What is known of a token. `header` and `claims` are unverified if there are `problems`."""

    kind: str
    problems: list[str]
    header: dict[str, Any] | None = None
    claims: dict[str, Any] | None = None

    @property
    def active(self) -> bool:
        return not self.problems


def inspect_access_token(
    connection: Connection, now: int, token: str, issuer: str, default_audience: str
) -> Inspection:
    """Decode and verify what is not a refresh token of this server."""
    parts = unverified_parts(token)
    if parts is None:
        return Inspection("unknown", ["it is neither a JWT nor a refresh token of this server: it was cut or changed"])
    header, claims = parts
    public_jwks = {
        key.kid: json.loads(key.public_jwk) for key in load_signing_keys(connection) if key.is_published(now)
    }
    subject = TokenSubject(*(_text(claims, name) for name in ("client_id", "sub", "sid", "jti")))
    context = load_token_contexts(connection, [subject], now)[0]
    problems = list(_signature_problems(token, header, public_jwks))
    if not problems:
        problems += _claim_problems(claims, context, issuer, now)
        problems += _context_problems(context, "sid" in claims)
        if not problems and not _is_active(claims, context, now, default_audience):
            problems.append(
                "its client no longer has the scope, the resource or the grant, or was registered again since"
            )
    return Inspection("access token", problems, header, claims)


def inspect_refresh_token(
    connection: Connection, now: int, token: PresentedRefreshToken, issuer: str, master_keys: MasterKeys
) -> Inspection:
    """Look up the session of a refresh token, and verify the token against it."""
    context = load_token_contexts(connection, [TokenSubject(sid=token.sid)], now)[0]
    family, tokens = context.family, RefreshTokens(master_keys)
    genuine = tokens.is_genuine(token, family)
    if family is not None and genuine is None:
        problem = f"its session needs the master key {family.master_key_id}, which is not in secrets.master_key"
        return Inspection("refresh token", [problem])
    if family is None or not genuine:
        problem = "it belongs to no session: it is forged, from another server, or its session ended long ago"
        return Inspection("refresh token", [problem])
    problems = list(_context_problems(context, has_session=True))
    if token.generation < family.generation:
        problems.append(f"it was used: {family.generation - token.generation} newer ones have been issued since")
    if not family.is_live(now) and family.revoked_at is None:
        problems.append("its session expired")
    if not problems and context.client is not None:
        response = introspect_refresh_token(family, token.generation, context, context.client, issuer, now)
        if not response["active"]:
            problems.append("its client no longer has the scope, or the grant refresh_token")
    claims = {"sid": family.sid, "sub": family.sub, "client_id": family.client_id, "generation": token.generation}
    return Inspection("refresh token", problems, claims=claims)


def _is_active(claims: dict[str, Any], context: TokenContext, now: int, default_audience: str) -> bool:
    """Return what introspection would tell the token's own client."""
    client = context.client
    if client is None:
        return False
    return bool(introspect_access_token(claims, context, client, (), now, default_audience)["active"])


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    """Return the identifier, or None if the unverified claim is none: not every text can be looked up."""
    value = claims.get(name)
    return value if isinstance(value, str) and value.isascii() and value.isprintable() else None


def _signature_problems(token: str, header: Mapping[str, Any], public_jwks: Mapping[str, Any]) -> Iterator[str]:
    if header.get("typ") != ACCESS_TOKEN:
        yield f"its typ is not {ACCESS_TOKEN}: it is not an access token (RFC 9068)"
    if not isinstance(header.get("kid"), str) or header["kid"] not in public_jwks:
        yield "its kid is not a published key: it is another server's, or its key was rotated out or revoked"
    elif Verifier(public_jwks.values()).verify(token) is None:
        yield "its signature is wrong: it was changed, or not made by this server"


def _claim_problems(claims: Mapping[str, Any], context: TokenContext, issuer: str, now: int) -> Iterator[str]:
    if claims["iss"] != issuer:
        yield f"its iss is not this server's issuer {issuer}"
    if now >= claims["exp"]:
        yield f"it expired {now - claims['exp']} seconds ago"
    if context.token_is_revoked:
        yield "it was revoked"


def _context_problems(context: TokenContext, has_session: bool) -> Iterator[str]:
    if context.client is None or context.client.disabled:
        yield "its client is disabled or deleted"
    if not has_session:
        return
    if context.user is None or context.user.disabled:
        yield "its user is disabled or deleted"
    if context.family is None:
        yield "its session was deleted"
    elif context.family.revoked_at is not None:
        yield f"its session was ended: {context.family.revoke_reason}"
