"""GET /account and POST /account/password: what users see of their account, and how they change their password."""

from collections.abc import Mapping
from typing import Any

import structlog

from jeton.endpoints.bearer import Bearer
from jeton.endpoints.exchange import FormRequest
from jeton.grants.authentication import Authenticated, authenticate_user, succeeded
from jeton.grants.services import Services
from jeton.oauth import account
from jeton.oauth.decision import Deny, EndSessions
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.names import login_key
from jeton.oauth.parameters import flag, require
from jeton.storage.ledger import Entry, Facts

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

    The rules come first: who is told to choose another has not spent an attempt. The current password is held back and
    refused like a login: a stolen access token is no way around the limits.
    """
    parameters = request.parameters
    current, new = require(parameters, "current_password"), require(parameters, "new_password")
    keep = bearer.sid if flag(parameters, "keep_current") else None
    await _check_choice(new, bearer, services)
    name = bearer.user.username
    async with authenticate_user(
        name, login_key(name), current, bearer.client, request.source, services
    ) as authenticated:
        if isinstance(authenticated, Deny):
            raise OAuthError(authenticated.code, authenticated.reason, sub=bearer.user.sub)
        decision = await _change(authenticated, new, keep, bearer, services)
        if isinstance(decision, Deny):
            raise OAuthError(decision.code, decision.reason, sub=bearer.user.sub)
        await succeeded(authenticated, services)
    log.info(
        decision.reason,
        sub=bearer.user.sub,
        sid=bearer.sid,
        client_id=bearer.client.client_id,
        ip=request.source.ip,
        sessions_ended=len(decision.families),
    )
    return {"sessions_ended": len(decision.families)}


async def _check_choice(password: str, bearer: Bearer, services: Services) -> None:
    user, rules = bearer.user, services.password_rules
    refusal = await services.hashing.run(lambda: rules.why_refused(password, user.username, user.email))
    if refusal is not None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, f"{refusal[0].upper()}{refusal[1:]}.")


async def _change(
    authenticated: Authenticated, password: str, keep: str | None, bearer: Bearer, services: Services
) -> EndSessions | Deny:
    """The change, and the end of sessions with it."""
    sub = bearer.user.sub
    if authenticated.user.sub != sub:
        return Deny(ErrorCode.INVALID_GRANT, "user_disabled_or_changed", sub=sub)
    password_hash = await services.hashing.run(lambda: services.passwords.hash(password))

    def decide(facts: Facts) -> EndSessions | Deny:
        return account.change_password(
            authenticated.user, facts.user, facts.sessions, password_hash, facts.now, keep=keep
        )

    return await services.ledger.enter(Entry(decide, sub=sub, all_sessions=True))
