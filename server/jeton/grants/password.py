"""grant_type=password (RFC 6749 section 4.3), for an operator's own apps only; see docs/divergences.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jeton.crypto.refresh_token import generate_family_secret, generate_sid
from jeton.frozen import Frozen
from jeton.grants.description import Grant, GrantParts, Redeem
from jeton.grants.request import TokenRequest
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.dpop_rules import PROOF_REPLAYED, PROOF_REQUIRED
from jeton.oauth.errors import ErrorCode
from jeton.oauth.parameters import require
from jeton.oauth.resources import uris_of
from jeton.oauth.scope import Scope
from jeton.oauth.sender_constraints import bound_family
from jeton.oauth.sessions import Family
from jeton.oauth.users import User, may_still_log_in
from jeton.storage.ledger.ledger import Entry, Facts, Ledger
from jeton.storage.ledger.lock_requests import LockClient, LockSessionsOverLimit
from jeton.storage.ledger.replay_store import only_once

if TYPE_CHECKING:  # for the command line, see grants/description.py
    from jeton.login.password_login import Authenticated, PasswordLogin
    from jeton.storage.status_index_allocator import StatusIndexAllocator


class PasswordGrant(Frozen):
    """Opens sessions for users who log in by password."""

    login: PasswordLogin
    ledger: Ledger
    status_indexes: StatusIndexAllocator
    master_key_id: str

    async def redeem(self, request: TokenRequest) -> Issue | Deny:
        """Open a session if the password is right, and still is when the session is stored."""
        scope = request.granted_scope()
        username, password = require(request.parameters, "username"), require(request.parameters, "password")
        authenticated = await self.login.authenticate(username, password, request.client.client_id, request.source)
        if isinstance(authenticated, Deny):
            return authenticated
        return await self._open_session(request, authenticated, scope)

    async def _open_session(self, request: TokenRequest, authenticated: Authenticated, scope: Scope) -> Issue | Deny:
        user, verified = authenticated.user, authenticated.verified
        sid, secret, status_index = generate_sid(), generate_family_secret(), await self.status_indexes.take()

        def decide(facts: Facts) -> Issue | Deny:
            """Notice, under the locks, what changed while the password was checked, or the client was cached."""
            client = facts.client
            if client is None or client.disabled or PASSWORD.name not in client.grant_types:
                return Deny(ErrorCode.UNAUTHORIZED_CLIENT, "grant_type_not_given_to_client", sub=user.sub)
            if client.require_dpop and request.confirmation.jkt is None:
                return PROOF_REQUIRED
            if not scope <= client.scope:
                return Deny(ErrorCode.INVALID_SCOPE, "scope_exceeds_client", sub=user.sub)
            if not set(uris_of(request.target)) <= set(client.resources):
                return Deny(ErrorCode.INVALID_TARGET, "resource_unknown_or_not_allowed", sub=user.sub)
            if not request.target and client.audience != request.client.audience:
                return Deny(ErrorCode.INVALID_TARGET, "audience_changed", sub=user.sub)
            if not may_still_log_in(facts.user, user):
                return Deny(ErrorCode.INVALID_GRANT, "user_disabled_or_changed", sub=user.sub)
            return Issue(
                request.client,
                scope,
                request.audience,
                facts.now,
                "logged_in",
                facts.user,
                self._new_family(request, user, scope, facts.now, sid, secret, status_index),
                verified.rehashed,
                ended=tuple(it.revoked("too_many_sessions", facts.now) for it in facts.sessions),
            )

        entry = Entry(decide, (LockSessionsOverLimit(user.sub), LockClient(request.client.client_id)))
        return await self.ledger.enter(only_once(entry, request.single_use, PROOF_REPLAYED))

    def _new_family(
        self, request: TokenRequest, user: User, scope: Scope, now: int, sid: str, secret: bytes, status_index: int
    ) -> Family:
        """Return a session. One that cannot be refreshed ends with its only access token."""
        lifetimes = request.lifetimes
        refreshable = "refresh_token" in request.client.grant_types
        absolute_expires_at = now + (lifetimes.refresh_absolute_seconds if refreshable else lifetimes.access_seconds)
        family = Family(
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
            master_key_id=self.master_key_id,
            secret=secret,
            access_expires_at=min(now + lifetimes.access_seconds, absolute_expires_at),
            created_ip=request.source.ip,
            created_user_agent=request.source.user_agent,
            last_ip=request.source.ip,
            last_user_agent=request.source.user_agent,
            status_index=status_index,
        )
        return bound_family(family, request.client, request.confirmation)


def _build(parts: GrantParts) -> Redeem:
    return PasswordGrant(parts.login, parts.ledger, parts.status_indexes, parts.master_key_id).redeem


PASSWORD: Final = Grant(
    "password", _build, parameters=("username", "password"), announced_on_use=True, setting="password"
)
