"""What a person ends on their own page: browser sessions, sessions of apps, the access of an app, and this session."""

from contextlib import suppress
from typing import Final

import structlog

from jeton.crypto.refresh_token import is_sid
from jeton.endpoints.authorization.interactions import MY_ACCOUNT_PATH, Interactions
from jeton.endpoints.my_account.signed_in_forms import SignedInForms
from jeton.endpoints.page_messages import Page, PageAnswer, PageError, PageRequest, Redirect, RedirectError
from jeton.frozen import Frozen
from jeton.login.browser_login import BrowserLogin
from jeton.oauth.consent_rules import Withdrawal, withdraw_consent
from jeton.oauth.consents import Consent
from jeton.oauth.self_service import end_own_session
from jeton.oauth.writes import SaveFamily
from jeton.pages.account_content import Notice
from jeton.pages.content import Fault, SignedOut
from jeton.storage.browser_session_lookups import BrowserSessionLookups
from jeton.storage.ledger.ledger import Entry, Facts, Ledger
from jeton.storage.ledger.lock_requests import LockConsent, LockFamily, LockSessionsOf

SIGNED_OUT_PATH: Final = "/signed-out"

log = structlog.get_logger("jeton.account")


class SignOut(Frozen):
    """POST /sign-out."""

    forms: SignedInForms
    login: BrowserLogin

    async def handle(self, request: PageRequest) -> PageAnswer:
        """End the browser session with what goes with it. Without one, the page says the same."""
        with suppress(RedirectError):
            visitor = await self.forms.sender(request)
            await self.login.sign_out(visitor.session, "signed_out", request.source)
        cookies = self.forms.interactions.cookies
        path = self.forms.interactions.base + SIGNED_OUT_PATH
        return Redirect(path, (cookies.signed_out(),), clears_site_data=True)


class ShowSignedOut(Frozen):
    """GET /signed-out."""

    interactions: Interactions
    login: BrowserLogin

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Say so, unless a user is signed in: the page may be opened again later, or by a link."""
        if await self.login.find(self.interactions.cookies.session_secret(request)):
            return Redirect(self.interactions.base + MY_ACCOUNT_PATH)
        return Page(SignedOut())


class EndBrowserSession(Frozen):
    """POST /me/browsers/end."""

    forms: SignedInForms
    login: BrowserLogin
    lookups: BrowserSessionLookups

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Sign out another browser of the same person. One that has ended already is no error."""
        visitor = await self.forms.sender(request)
        wanted = request.parameters.get("browser_session_id")
        overview = await self.lookups.overview(visitor.user.sub)
        for session in overview.browser_sessions:
            if session.browser_session_id == wanted:
                await self.login.sign_out(session, "ended_by_user", request.source)
        return self.forms.done(Notice.BROWSER_SIGNED_OUT)


class EndAppSession(Frozen):
    """POST /me/sessions/end."""

    forms: SignedInForms
    ledger: Ledger

    async def handle(self, request: PageRequest) -> PageAnswer:
        """End one session of an app. One that has ended already, or of another user, is left as it is."""
        visitor = await self.forms.sender(request)
        sub, sid = visitor.user.sub, request.parameters.get("sid", "")
        if not is_sid(sid):
            raise PageError(Fault.MALFORMED, "sid_malformed")
        decision = await self.ledger.enter(
            Entry(lambda facts: end_own_session(facts.family, sub, facts.now), (LockFamily(sid),))
        )
        log.info(decision.reason, sub=sub, sid=sid, ip=request.source.ip)
        return self.forms.done(Notice.SESSION_ENDED)


class WithdrawAccess(Frozen):
    """POST /me/apps/end."""

    forms: SignedInForms
    ledger: Ledger

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Withdraw what the person has allowed an app. Its sessions end, and codes that it has not redeemed."""
        visitor = await self.forms.sender(request)
        sub, client_id = visitor.user.sub, request.parameters.get("client_id", "")

        def decide(facts: Facts) -> Withdrawal:
            consent = facts.rows.of(Consent).get((sub, client_id))
            return withdraw_consent("consent_withdrawn", sub, client_id, consent, facts.sessions, facts.now)

        decision = await self.ledger.enter(Entry(decide, (LockConsent(sub, client_id), LockSessionsOf(sub))))
        if decision.writes:
            ended = sum(isinstance(it, SaveFamily) for it in decision.writes)
            log.info(decision.reason, sub=sub, client_id=client_id, ip=request.source.ip, sessions_ended=ended)
        return self.forms.done(Notice.ACCESS_WITHDRAWN)


class FixedRedirect(Frozen):
    """A fixed redirect to another page."""

    location: str

    async def handle(self, _: PageRequest) -> PageAnswer:
        """Redirect."""
        return Redirect(self.location)
