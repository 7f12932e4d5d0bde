"""GET /account and POST /account/password: what users see of their account, and how they change their password."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import structlog

from jeton.endpoints.bearer_authentication import Bearer
from jeton.endpoints.messages import FormRequest
from jeton.grants.services import Services
from jeton.login.password_login import Authenticated
from jeton.oauth import self_service
from jeton.oauth.decisions import Deny, EndSessions
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.parameters import flag, require
from jeton.rules.network_prefix import network_prefix
from jeton.storage.ledger import Entry, Facts

T = TypeVar("T")

log = structlog.get_logger("jeton.account")


async def show_account(_: FormRequest, bearer: Bearer, __: Services) -> Mapping[str, Any]:
    """What is known of the user."""
    user = bearer.user
    return {
        "sub": user.sub,
        "username": user.username,
        "email": user.email,
        "roles": list(user.roles),
        "created_at": user.created_at,
    }


async def change_password(request: FormRequest, bearer: Bearer, services: Services) -> Mapping[str, Any]:
    """The new password by the rules; the current one as at a login; then the change and the end of sessions, at once.

    The rules come first: who is told to choose another has not spent an attempt. Guesses at the current password have
    limits of their own, like those of a known source: a stolen access token is no way around a hundred, and failed
    logins do not keep the owner of a session from a new password (ADR 0018).
    """
    parameters = request.parameters
    current, new = require(parameters, "current_password"), require(parameters, "new_password")
    keep = bearer.sid if flag(parameters, "keep_current") else None
    await _check_choice(new, request, bearer, services)
    authenticated = await services.login.authenticate(
        bearer.user.username, current, bearer.client, request.source, session=True
    )
    if isinstance(authenticated, Deny):
        raise OAuthError(authenticated.code, authenticated.reason, sub=bearer.user.sub)
    new_hash = await _hashed(lambda: services.passwords.hash(new), request, bearer, services)
    decision = await _change(authenticated, new_hash, keep, bearer, services)
    if isinstance(decision, Deny):
        raise OAuthError(decision.code, decision.reason, sub=bearer.user.sub)
    log.info(
        decision.reason,
        sub=bearer.user.sub,
        sid=bearer.sid,
        client_id=bearer.client.client_id,
        ip=request.source.ip,
        sessions_ended=len(decision.families),
    )
    return {"sessions_ended": len(decision.families)}


async def _check_choice(password: str, request: FormRequest, bearer: Bearer, services: Services) -> None:
    user, rules = bearer.user, services.password_rules
    refusal = await _hashed(
        lambda: rules.rejection_reason(password, user.username, user.email), request, bearer, services
    )
    if refusal is not None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, f"{refusal[0].upper()}{refusal[1:]}.")


async def _hashed(work: Callable[[], T], request: FormRequest, bearer: Bearer, services: Services) -> T:
    """Return the result of what costs as much as a hash."""
    return await services.hashing.run(work, bearer.user.username, network_prefix(request.source.ip))


async def _change(
    authenticated: Authenticated, password_hash: str, keep: str | None, bearer: Bearer, services: Services
) -> EndSessions | Deny:
    """The change, and the end of sessions with it."""
    sub = bearer.user.sub
    if authenticated.user.sub != sub:
        return Deny(ErrorCode.INVALID_GRANT, "user_disabled_or_changed", sub=sub)

    def decide(facts: Facts) -> EndSessions | Deny:
        return self_service.change_password(
            authenticated.user, facts.user, facts.sessions, password_hash, facts.now, keep=keep
        )

    return await services.ledger.enter(Entry(decide, sub=sub, all_sessions=True))
