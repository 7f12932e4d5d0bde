"""Browser sessions: who is signed in, signing in by password, and signing out."""

from typing import Final

import structlog

from jeton.crypto.credentials import digest_secret, generate_browser_session_id, generate_cookie_secret
from jeton.frozen import Frozen, replace
from jeton.login.password_login import PasswordLogin
from jeton.oauth.browser_session_rules import (
    BrowserSessionLifetimes,
    EndBrowserSessions,
    SignedIn,
    browser_sessions_over_limit,
    end_browser_sessions,
    sign_in,
)
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.clients import Client
from jeton.oauth.decisions import Deny
from jeton.oauth.errors import ErrorCode
from jeton.oauth.sessions import Family, Source
from jeton.oauth.users import User, may_still_log_in
from jeton.storage.browser_session_lookups import BrowserSessionLookups, Visitor
from jeton.storage.clock import Clock
from jeton.storage.ledger.ledger import Entry, Facts, Ledger
from jeton.storage.ledger.lock_requests import Lock, LockBrowserSessionsOf, LockSessionsOfBrowser, LockUser

# Its use is stored at most once in this time, in seconds.
USE_INTERVAL_SECONDS: Final = 60
_PASSWORD: Final = ("pwd",)

log = structlog.get_logger("jeton.login")


class NewBrowserSession(Frozen):
    """A session that has just begun or been renewed, and the secret for the browser's cookie."""

    session: BrowserSession
    secret: str


class BrowserLogin:
    """Opens, finds, renews and ends browser sessions."""

    def __init__(
        self,
        login: PasswordLogin,
        lookups: BrowserSessionLookups,
        ledger: Ledger,
        lifetimes: BrowserSessionLifetimes,
        clock: Clock,
        *,
        max_sessions: int,
    ) -> None:
        """`max_sessions` is the maximum of live sessions of a user; 0: unlimited."""
        self._login = login
        self._lookups = lookups
        self._ledger = ledger
        self._lifetimes = lifetimes
        self._clock = clock
        self._max_sessions = max_sessions

    async def find(self, secret: str | None) -> Visitor | None:
        """Return who is signed in with this cookie, or None. The use of the session moves its idle end."""
        if not secret:
            return None
        visitor = await self._lookups.visitor(digest_secret(secret))
        if visitor is None:
            return None
        session, now = visitor.session, self._clock.now()
        if now - session.used_at < USE_INTERVAL_SECONDS:
            return visitor
        idle_expires_at = min(now + self._lifetimes.idle_seconds, session.absolute_expires_at)
        await self._lookups.record_use(session.browser_session_id, now, idle_expires_at)
        return replace(visitor, session=replace(session, used_at=now, idle_expires_at=idle_expires_at))

    async def sign_in(
        self, username: str, password: str, client_id: str, source: Source, current: BrowserSession | None
    ) -> NewBrowserSession | Deny:
        """Verify the password, under the same limits as every login, and begin or renew the session of this browser.

        `client_id` is the client that the user signs in for, or empty. Raise OAuthError if a limit is reached,
        HashingBusyError if too many passwords are being verified.
        """
        authenticated = await self._login.authenticate(username, password, client_id, source)
        if isinstance(authenticated, Deny):
            return authenticated
        user, rehashed = authenticated.user, authenticated.verified.rehashed
        secret, new_id = generate_cookie_secret(), generate_browser_session_id()
        digest = digest_secret(secret)

        def decide(facts: Facts) -> SignedIn | Deny:
            """Notice, under the user's lock, what changed while the password was checked."""
            found = facts.rows.of(User).get(user.sub)
            if not may_still_log_in(found, user):
                return Deny(ErrorCode.INVALID_GRANT, "user_disabled_or_changed", sub=user.sub)
            known = None if current is None else facts.rows.of(BrowserSession).get(current.browser_session_id)
            session = sign_in(found, known, new_id, digest, _PASSWORD, self._lifetimes, source, facts.now)
            ended = None if known is None or known.sub == user.sub else _end(facts, "replaced_by_other_user", known)
            own = [it for it in facts.rows.of(BrowserSession).values() if it.sub == user.sub]
            expired = browser_sessions_over_limit(session, own, self._max_sessions, facts.now)
            return SignedIn("browser_signed_in", found, session, rehashed, ended, expired)

        decision = await self._ledger.enter(Entry(decide, _locks(user, current)))
        if isinstance(decision, Deny):
            return decision
        for it in decision.expired:
            ended_id = it.browser_session_id
            log.info("browser_session_ended", reason="too_many_sessions", sub=user.sub, browser_session_id=ended_id)
        session_id = decision.session.browser_session_id
        log.info(decision.reason, sub=user.sub, browser_session_id=session_id, client_id=client_id, ip=source.ip)
        return NewBrowserSession(decision.session, secret)

    async def sign_out(self, session: BrowserSession, reason: str, source: Source) -> EndBrowserSessions:
        """End the session, and the families that go with it."""
        locks = (LockUser(session.sub), LockSessionsOfBrowser(session.browser_session_id))
        decision = await self._ledger.enter(Entry(lambda facts: _end(facts, reason, session), locks))
        log.info(
            reason,
            sub=session.sub,
            browser_session_id=session.browser_session_id,
            ip=source.ip,
            sessions_ended=len(decision.families),
        )
        return decision


def _locks(user: User, current: BrowserSession | None) -> tuple[Lock, ...]:
    """Return the locks of a sign-in: both users, if another was signed in in this browser."""
    own = LockBrowserSessionsOf(user.sub)
    if current is None:
        return (own,)
    users: tuple[Lock, ...] = (own,) if current.sub == user.sub else (LockUser(current.sub), own)
    return (*users, LockSessionsOfBrowser(current.browser_session_id))


def _end(facts: Facts, reason: str, session: BrowserSession) -> EndBrowserSessions:
    rows = facts.rows
    return end_browser_sessions(reason, (session,), rows.of(Family).values(), rows.of(Client).values(), facts.now)
