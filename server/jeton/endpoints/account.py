"""Self-service of the account: GET /account and POST /account/password."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from jeton.crypto.hashing_pool import HashingPool
from jeton.crypto.password_rules import PasswordRules
from jeton.crypto.passwords import Passwords
from jeton.endpoints.bearer_authentication import AuthenticatedUser
from jeton.endpoints.messages import FormRequest, Json
from jeton.login.password_login import Authenticated, PasswordLogin
from jeton.oauth import self_service
from jeton.oauth.decisions import Deny, EndSessions
from jeton.oauth.errors import ErrorCode, malformed_request
from jeton.oauth.parameters import flag, require
from jeton.rules.network_prefix import network_prefix
from jeton.storage.ledger import Entry, Facts, Ledger
from jeton.storage.lock_requests import LockSessionsOf

T = TypeVar("T")

log = structlog.get_logger("jeton.account")


@dataclass(frozen=True, slots=True)
class ShowAccount:
    """GET /account."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedUser]]

    async def handle(self, _: FormRequest, caller: AuthenticatedUser) -> Json:
        """Return what is stored about the user."""
        user = caller.user
        return Json(
            {
                "sub": user.sub,
                "username": user.username,
                "email": user.email,
                "roles": list(user.roles),
                "created_at": user.created_at,
            }
        )


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """POST /account/password."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedUser]]
    login: PasswordLogin
    passwords: Passwords
    rules: PasswordRules
    hashing: HashingPool
    ledger: Ledger

    async def handle(self, request: FormRequest, caller: AuthenticatedUser) -> Json:
        """Check the new password by the rules and the current one as a login does; then change it and end sessions.

        The rules come first, so that a rejected choice does not use up an attempt. Guesses at the current password have
        limits of their own, like those of a known source: a stolen access token does not get around a hundred, and
        failed logins do not keep the owner of a session from a new password (ADR 0018).
        """
        user, parameters = caller.user, request.parameters
        current, new = require(parameters, "current_password"), require(parameters, "new_password")
        keep = caller.sid if flag(parameters, "keep_current") else None
        await self._check_rules(new, request, caller)
        authenticated = await self.login.authenticate(
            user.username, current, caller.client.client_id, request.source, session=True
        )
        if isinstance(authenticated, Deny):
            raise authenticated.to_error()
        new_hash = await self._run_hashing(lambda: self.passwords.hash(new), request, caller)
        decision = await self._change(authenticated, new_hash, keep, caller)
        if isinstance(decision, Deny):
            raise decision.to_error()
        log.info(
            decision.reason,
            sub=user.sub,
            sid=caller.sid,
            client_id=caller.client.client_id,
            ip=request.source.ip,
            sessions_ended=len(decision.families),
        )
        return Json({"sessions_ended": len(decision.families)})

    async def _check_rules(self, password: str, request: FormRequest, caller: AuthenticatedUser) -> None:
        """Raise OAuthError if the password may not be chosen."""
        user = caller.user
        reason = await self._run_hashing(
            lambda: self.rules.rejection_reason(password, user.username, user.email), request, caller
        )
        if reason is not None:
            raise malformed_request(f"{reason[0].upper()}{reason[1:]}.")

    async def _run_hashing(self, work: Callable[[], T], request: FormRequest, caller: AuthenticatedUser) -> T:
        """Return the result of `work`, which costs as much as a hash."""
        return await self.hashing.run(work, caller.user.username, network_prefix(request.source.ip))

    async def _change(
        self, authenticated: Authenticated, password_hash: str, keep: str | None, caller: AuthenticatedUser
    ) -> EndSessions | Deny:
        """Store the new hash, and end the sessions in the same transaction."""
        sub = caller.user.sub
        # The username may have passed to another user since the access token was checked.
        if authenticated.user.sub != sub:
            return Deny(ErrorCode.INVALID_GRANT, "user_disabled_or_changed", sub=sub)

        def decide(facts: Facts) -> EndSessions | Deny:
            return self_service.change_password(
                authenticated.user, facts.user, facts.sessions, password_hash, facts.now, keep=keep
            )

        return await self.ledger.enter(Entry(decide, (LockSessionsOf(sub),)))
