"""POST /oauth/token (RFC 6749 section 3.2)."""

from typing import Any

import structlog

from jeton.crypto.credentials import generate_jti
from jeton.crypto.signed_jwt import Signer
from jeton.endpoints.client_authentication import authenticate_client
from jeton.endpoints.messages import Answer, FormRequest
from jeton.grants import GRANTS
from jeton.grants.request import TokenRequest
from jeton.grants.services import Services
from jeton.oauth.claims import access_token_claims, token_response
from jeton.oauth.clients import Client
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode, OAuthError, RateLimitedError
from jeton.oauth.parameters import require
from jeton.oauth.scope import parse_scope

log = structlog.get_logger("jeton.token")


async def answer_token_request(request: FormRequest, services: Services) -> Answer:
    """Authenticate the client; count its request; grant known and allowed; scope parsed; redeem; sign; answer.

    Nothing expensive happens for a client that is not authenticated, or not allowed the grant.
    """
    client = await authenticate_client(request, services)
    try:
        services.request_limits.count_request(client, request.source)
        return Answer(await _redeem(request, client, services), client)
    except OAuthError as error:
        return Answer(error, client)


async def _redeem(request: FormRequest, client: Client, services: Services) -> dict[str, Any]:
    grant_type = require(request.parameters, "grant_type")
    _check_grant_type(grant_type, client, services)
    # Before anything is spent: what is redeemed can be signed.
    signer = services.keyring.signer
    scope = parse_scope(request.parameters["scope"]) if "scope" in request.parameters else None
    token_request = TokenRequest(
        client,
        request.parameters,
        scope,
        services.audience_of(client),
        services.lifetimes.with_overrides(client.lifetimes),
        request.source,
        request.idempotency_key,
    )
    decision = await GRANTS[grant_type](token_request, services)
    if isinstance(decision, Deny):
        if decision.retry_after is not None:
            raise RateLimitedError(decision.reason, decision.retry_after, **_about(decision))
        raise OAuthError(decision.code, decision.reason, **_about(decision))
    _log_side_effects(decision, request)
    log.info(
        "token_issued",
        reason=decision.reason,
        grant_type=grant_type,
        client_id=client.client_id,
        ip=request.source.ip,
        **_about(decision),
    )
    return await _issue(decision, token_request, signer, services)


def _check_grant_type(grant_type: str, client: Client, services: Services) -> None:
    if grant_type not in GRANTS or (grant_type == "password" and not services.password_grant):
        raise OAuthError(ErrorCode.UNSUPPORTED_GRANT_TYPE, "grant_type_unknown")
    if grant_type not in client.grant_types:
        raise OAuthError(ErrorCode.UNAUTHORIZED_CLIENT, "grant_type_not_given_to_client")


async def _issue(issue: Issue, request: TokenRequest, signer: Signer, services: Services) -> dict[str, Any]:
    """Signs and answers what is decided and durable. The same family, generation and time give the same bytes."""
    family, tokens = issue.family, services.refresh_tokens
    if family is None:
        jti, refresh_token = generate_jti(), None
    else:
        key_id, secret = family.master_key_id, family.secret
        jti = tokens.derive_jti(family.generation, family.rotated_at, key_id, secret)
        refreshable = "refresh_token" in issue.client.grant_types
        refresh_token = tokens.derive(family.sid, family.generation, key_id, secret) if refreshable else None
    claims = access_token_claims(
        issue,
        issuer=services.issuer,
        jti=jti,
        access_seconds=request.lifetimes.access_seconds,
        status_lists=services.status_lists,
    )
    return token_response(claims, await services.keyring.sign(signer, claims), refresh_token)


def _log_side_effects(issue: Issue, request: FormRequest) -> None:
    """A session used from elsewhere, and those that had to end for a new one."""
    if issue.moved and issue.family is not None:
        log.warning(
            "session_moved",
            client_id=issue.client.client_id,
            ip=request.source.ip,
            moves=issue.family.moves,
            **_about(issue),
        )
    for family in issue.ended:
        log.info("session_ended", reason=family.revoke_reason, sub=family.sub, sid=family.sid)


def _about(decision: Issue | Deny) -> dict[str, str | int | None]:
    """Whose session it is, for the log; never a token, a password or a secret."""
    if decision.family is not None:
        family = decision.family
        return {"sub": family.sub, "sid": family.sid, "generation": family.generation}
    return {"sub": decision.sub} if isinstance(decision, Deny) else {}
