"""grant_type=password (RFC 6749 section 4.3), for an operator's own apps only; see docs/divergences.md."""

from jeton.crypto.refresh_token import generate_family_secret, generate_sid
from jeton.grants.request import TokenRequest
from jeton.grants.services import Services
from jeton.login.password_login import Authenticated
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.parameters import require
from jeton.oauth.scope import Scope
from jeton.oauth.sessions import Family
from jeton.oauth.users import User
from jeton.storage.ledger import Entry, Facts

GRANT_TYPE = "password"


async def redeem(request: TokenRequest, services: Services) -> Issue | Deny:
    """A new family, where the password is right and still is when the family is written."""
    scope = request.granted_scope()
    username, password = require(request.parameters, "username"), require(request.parameters, "password")
    # Keyboards and copied text add white space at the ends, and no name has any. A password is taken as it is.
    username = username.strip()
    authenticated = await services.login.authenticate(username, password, request.client, request.source)
    if isinstance(authenticated, Deny):
        return authenticated
    return await _open_session(request, services, authenticated, scope)


async def _open_session(
    request: TokenRequest, services: Services, authenticated: Authenticated, scope: Scope
) -> Issue | Deny:
    user, verified = authenticated.user, authenticated.verified
    sid, secret, status_index = generate_sid(), generate_family_secret(), await services.status_indexes.take()

    def decide(facts: Facts) -> Issue | Deny:
        """Under the user's lock: a password changed, or an account disabled, while the old hash was checked counts."""
        client = facts.client
        if client is None or client.disabled or GRANT_TYPE not in client.grant_types:
            return Deny(ErrorCode.UNAUTHORIZED_CLIENT, "grant_type_not_given_to_client", sub=user.sub)
        if facts.user is None or facts.user.disabled or facts.user.password_version != user.password_version:
            return Deny(ErrorCode.INVALID_GRANT, "user_disabled_or_changed", sub=user.sub)
        family = _new_family(request, services, user, scope, facts.now, sid, secret, status_index)
        return Issue(
            request.client,
            scope,
            request.audience,
            facts.now,
            "logged_in",
            facts.user,
            family,
            verified.rehashed,
            ended=tuple(it.revoked("too_many_sessions", facts.now) for it in facts.sessions),
        )

    return await services.ledger.enter(Entry(decide, sub=user.sub, client_id=request.client.client_id))


def _new_family(
    request: TokenRequest,
    services: Services,
    user: User,
    scope: Scope,
    now: int,
    sid: str,
    secret: bytes,
    status_index: int,
) -> Family:
    """A session; one that cannot be refreshed ends with its only access token."""
    lifetimes = request.lifetimes
    refreshable = "refresh_token" in request.client.grant_types
    absolute_expires_at = now + (lifetimes.refresh_absolute_seconds if refreshable else lifetimes.access_seconds)
    return Family(
        sid=sid,
        client_id=request.client.client_id,
        sub=user.sub,
        scope=scope,
        audience=request.audience,
        auth_time=now,
        amr=("pwd",),
        created_at=now,
        rotated_at=now,
        idle_expires_at=min(now + lifetimes.refresh_idle_seconds, absolute_expires_at),
        absolute_expires_at=absolute_expires_at,
        master_key_id=services.master_key_id,
        secret=secret,
        access_expires_at=min(now + lifetimes.access_seconds, absolute_expires_at),
        created_ip=request.source.ip,
        created_user_agent=request.source.user_agent,
        last_ip=request.source.ip,
        last_user_agent=request.source.user_agent,
        status_index=status_index,
    )
