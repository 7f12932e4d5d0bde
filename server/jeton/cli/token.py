"""jeton token: what a token is, and what is wrong with it."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import click

from jeton.bootstrap.opening import configured_master_keys
from jeton.cli.options import configured, json_option, print_result, transaction
from jeton.config import Settings
from jeton.crypto.refresh_token import PresentedRefreshToken, RefreshTokens, parse_refresh_token
from jeton.crypto.signed_jwt import ACCESS_TOKEN, Verifier, unverified_parts
from jeton.oauth.introspection_rules import TokenContext, introspect_access_token, introspect_refresh_token
from jeton.observability.escaping import encode_json, escape
from jeton.storage.lookups import TokenSubject, load_token_contexts
from jeton.storage.signing_keys import load_signing_keys


@click.group()
def token() -> None:
    """Tokens."""


@token.command()
@click.argument("presented", metavar="TOKEN")
@json_option
@configured
def inspect(presented: str, as_json: bool, settings: Settings) -> None:
    """Decode and verify a token, and explain what is wrong with it. `-` reads it from standard input."""
    if presented == "-":
        presented = sys.stdin.buffer.read(16 * 1024).decode("utf-8", "replace").strip()
    refresh_token = parse_refresh_token(presented)
    if refresh_token is not None:
        result = _inspect_refresh_token(refresh_token, settings)
    else:
        result = _inspect_access_token(presented, settings)
    if as_json:
        print_result(result, as_json=True)
        return
    click.echo(f"{result['kind']}: {'active' if result['active'] else 'not active'}")
    for problem in result["problems"]:
        click.echo(f"  - {escape(problem)}")
    for part in ("header", "claims"):
        if result.get(part):
            click.echo(f"{part}: {encode_json(result[part], indent=2)}")


def _inspect_access_token(presented: str, settings: Settings) -> dict[str, Any]:
    parts = unverified_parts(presented)
    if parts is None:
        problem = "it is neither a JWT nor a refresh token of this server: was it cut, or changed?"
        return {"kind": "unknown", "active": False, "problems": [problem]}
    header, claims = parts
    with transaction(settings) as (connection, now):
        public_jwks = {
            it.kid: json.loads(it.public_jwk) for it in load_signing_keys(connection) if it.is_published(now)
        }
        subject = TokenSubject(*(_text(claims, name) for name in ("client_id", "sub", "sid", "jti")))
        facts = load_token_contexts(connection, [subject], now)[0]
    problems = list(_signature_problems(presented, header, public_jwks))
    if not problems:
        problems += _claim_problems(claims, facts, settings.server.issuer, now)
        problems += _surrounding_problems(facts, "sid" in claims)
        if not problems and not _is_active(claims, facts, now):
            problems.append("its client may no longer have its scope or grant, or was registered anew since")
    return _result("access token", problems, header=header, claims=claims)


def _is_active(claims: dict[str, Any], facts: TokenContext, now: int) -> bool:
    """What its own client would hear at introspection."""
    return facts.client is not None and bool(introspect_access_token(claims, facts, facts.client, (), now)["active"])


def _text(claims: dict[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) else None


def _signature_problems(presented: str, header: dict[str, Any], public_jwks: dict[str, Any]) -> Iterator[str]:
    if header.get("typ") != ACCESS_TOKEN:
        yield f"its typ is not {ACCESS_TOKEN}: it is no access token (RFC 9068)"
    if not isinstance(header.get("kid"), str) or header["kid"] not in public_jwks:
        yield "its kid is none of the published keys: another server's token, or its key was rotated out or revoked"
    elif Verifier(public_jwks.values()).verify(presented) is None:
        yield "its signature is wrong: it was changed, or not made by this server"


def _claim_problems(claims: dict[str, Any], facts: TokenContext, issuer: str, now: int) -> Iterator[str]:
    if claims["iss"] != issuer:
        yield f"its iss is not this server's issuer {issuer}"
    if now >= claims["exp"]:
        yield f"it expired {now - claims['exp']} seconds ago"
    if facts.token_is_revoked:
        yield "it was revoked"


def _surrounding_problems(facts: TokenContext, has_session: bool) -> Iterator[str]:
    if facts.client is None or facts.client.disabled:
        yield "its client is disabled or gone"
    if not has_session:
        return
    if facts.user is None or facts.user.disabled:
        yield "its user is disabled or gone"
    if facts.family is None:
        yield "its session is gone"
    elif facts.family.revoked_at is not None:
        yield f"its session was ended: {facts.family.revoke_reason}"


def _inspect_refresh_token(presented: PresentedRefreshToken, settings: Settings) -> dict[str, Any]:
    with transaction(settings) as (connection, now):
        facts = load_token_contexts(connection, [TokenSubject(sid=presented.sid)], now)[0]
    family, tokens = facts.family, RefreshTokens(configured_master_keys(settings))
    genuine = None if family is None else tokens.is_genuine(presented, family.master_key_id, family.secret)
    if family is not None and genuine is None:
        problem = f"its session needs the master key {family.master_key_id}, which is not in secrets.master_key"
        return _result("refresh token", [problem])
    if family is None or not genuine:
        return _result("refresh token", ["no session has it: another server's, forged, or its session is long past"])
    problems = list(_surrounding_problems(facts, has_session=True))
    if presented.generation < family.generation:
        problems.append(f"it is spent: {family.generation - presented.generation} newer ones were issued since")
    if not family.is_live(now) and family.revoked_at is None:
        problems.append("its session expired")
    owner, issuer = facts.client, settings.server.issuer
    if not problems and owner is not None:
        answer = introspect_refresh_token(family, presented.generation, facts, owner, issuer, now)
        if not answer["active"]:
            problems.append("its client may no longer have its scope, or the grant refresh_token")
    claims = {"sid": family.sid, "sub": family.sub, "client_id": family.client_id, "generation": presented.generation}
    return _result("refresh token", problems, claims=claims)


def _result(kind: str, problems: list[str], **parts: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "active": not problems, "problems": problems, **parts}
