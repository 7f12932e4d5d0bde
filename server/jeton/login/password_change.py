"""Change of a user's own password: the rules, the current password, and what ends with it (ADR 0018)."""

from collections.abc import Callable
from typing import TypeVar

import structlog

from jeton.crypto.hashing_pool import HashingPool
from jeton.crypto.password_rules import PasswordRules
from jeton.crypto.passwords import Passwords
from jeton.frozen import Frozen, Hidden, replace
from jeton.login.password_login import Authenticated, PasswordLogin
from jeton.oauth import self_service
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.decisions import Deny, EndSessions
from jeton.oauth.errors import ErrorCode
from jeton.oauth.sessions import Source
from jeton.oauth.users import User
from jeton.rules.network_prefix import network_prefix
from jeton.rules.password_policy import PasswordRejection
from jeton.storage.ledger.ledger import Entry, Facts, Ledger
from jeton.storage.ledger.lock_requests import LockBrowserSession, LockSessionsOf

T = TypeVar("T")

log = structlog.get_logger("jeton.account")


class Kept(Frozen):
    """What continues after the change: a session of an app, a browser session, or all else.

    The browser session gets a new secret, of which this is the digest: copies of its cookie are worthless then.
    """

    sid: str | None = None
    browser_session_id: str | None = None
    secret_digest: Hidden[bytes] = b""
    all_else: bool = False


class PasswordRejectedError(Exception):
    """The rules reject the new password. The text is a sentence that says why."""

    def __init__(self, rejection: PasswordRejection) -> None:
        super().__init__(rejection.rule.sentence.format(rejection.number))
        self.rejection = rejection


class PasswordChange(Frozen):
    """Changes passwords."""

    login: PasswordLogin
    passwords: Passwords
    rules: PasswordRules
    hashing: HashingPool
    ledger: Ledger

    async def change(
        self, user: User, current: str, new: str, client_id: str, source: Source, kept: Kept
    ) -> EndSessions | Deny:
        """Check the new password by the rules and the current one as a login does; then change it and end sessions.

        The rules come first, so that a rejected choice does not use up an attempt. Guesses at the current password have
        limits of their own, like those of a known source: a stolen access token does not get around a hundred, and
        failed logins do not keep the owner of a session from a new password.

        Raise PasswordRejectedError if the rules reject it, OAuthError if a limit is reached.
        """
        rejection = await self._run_hashing(lambda: self.rules.rejection(new, user.username, user.email), user, source)
        if rejection is not None:
            raise PasswordRejectedError(rejection)
        authenticated = await self.login.authenticate(user.username, current, client_id, source, session=True)
        if isinstance(authenticated, Deny):
            return authenticated
        new_hash = await self._run_hashing(lambda: self.passwords.hash(new), user, source)
        decision = await self._store(authenticated, new_hash, user, kept)
        if isinstance(decision, EndSessions):
            log.info(
                decision.reason,
                sub=user.sub,
                sid=kept.sid,
                browser_session_id=kept.browser_session_id,
                client_id=client_id,
                ip=source.ip,
                sessions_ended=len(decision.families),
            )
        return decision

    async def _run_hashing(self, work: Callable[[], T], user: User, source: Source) -> T:
        """Return the result of `work`, which costs as much as a hash."""
        return await self.hashing.run(work, user.username, network_prefix(source.ip))

    async def _store(
        self, authenticated: Authenticated, password_hash: str, user: User, kept: Kept
    ) -> EndSessions | Deny:
        """Store the new hash, and end the sessions in the same transaction."""
        # The username may have passed to another user in the meantime.
        if authenticated.user.sub != user.sub:
            return Deny(ErrorCode.INVALID_GRANT, "user_disabled_or_changed", sub=user.sub)

        browser_id = kept.browser_session_id

        def decide(facts: Facts) -> EndSessions | Deny:
            browser = None if browser_id is None else facts.rows.of(BrowserSession).get(browser_id)
            return self_service.change_password(
                authenticated.user,
                facts.user,
                facts.sessions,
                password_hash,
                facts.now,
                keep=kept.sid,
                keep_browser=None if browser is None else replace(browser, secret_digest=kept.secret_digest),
                keep_all=kept.all_else,
            )

        locks = (LockSessionsOf(user.sub), *(() if browser_id is None else (LockBrowserSession(browser_id),)))
        return await self.ledger.enter(Entry(decide, locks))
