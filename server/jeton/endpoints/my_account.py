"""The person's own page: GET /me, and the form for a new password, GET and POST /me/password."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from jeton.crypto.hashing_pool import HashingBusyError
from jeton.crypto.sealed_request import FormTokens
from jeton.endpoints.app_labels import app_label
from jeton.endpoints.consent import scope_items
from jeton.endpoints.interactions import ACCOUNT_PATH, SIGN_IN_PATH, Interactions, check_own_page
from jeton.endpoints.page_messages import Page, PageAnswer, PageError, PageRequest, Redirect, RedirectError
from jeton.login.browser_login import BrowserLogin
from jeton.login.password_change import Kept, PasswordChange, PasswordRejectedError
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.decisions import Deny
from jeton.oauth.errors import OAuthError
from jeton.oauth.sessions import Family
from jeton.oauth.users import User
from jeton.pages.content import (
    Account,
    AppItem,
    BrowserItem,
    ChangePassword,
    Fault,
    Notice,
    Problem,
    SessionItem,
)
from jeton.rules.password_policy import PasswordRejection
from jeton.storage.browser_session_lookups import AccountOverview, BrowserSessionLookups, Visitor

# What has just been done, as the parameter `done` of the address of the page.
DONE: Final = "done"
_CLAIMS: Final = {"name": "Name", "nickname": "Nickname", "locale": "Language", "zoneinfo": "Time zone"}


@dataclass(frozen=True, slots=True)
class SignedInForms:
    """Checks who is signed in, and that a form comes from a page of that person."""

    interactions: Interactions
    login: BrowserLogin
    form_tokens: FormTokens

    async def visitor(self, request: PageRequest) -> Visitor:
        """Return who is signed in. Raise RedirectError to the sign-in page if nobody is."""
        visitor = await self.login.find(self.interactions.cookies.session_secret(request))
        if visitor is None:
            raise RedirectError(Redirect(self.interactions.base + SIGN_IN_PATH))
        return visitor

    async def sender(self, request: PageRequest) -> Visitor:
        """Return who sent the form. Raise PageError if it does not come from a page of theirs."""
        check_own_page(request)
        visitor = await self.visitor(request)
        presented = request.parameters.get("form_token", "")
        if not self.form_tokens.is_genuine(presented, visitor.session.secret_digest):
            raise PageError(Fault.EXPIRED, "form_token_wrong")
        return visitor

    def token(self, visitor: Visitor) -> str:
        """Return the token for the forms of a page."""
        return self.form_tokens.derive(visitor.session.secret_digest)

    def done(self, notice: Notice) -> Redirect:
        """Return the way back to the page, which then says what was done."""
        return Redirect(f"{self.interactions.base}{ACCOUNT_PATH}?{DONE}={notice.name.lower()}")


@dataclass(frozen=True, slots=True)
class ShowMyAccount:
    """GET /me."""

    forms: SignedInForms
    lookups: BrowserSessionLookups
    descriptions: Mapping[str, Mapping[str, str]]

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Show who is signed in, in which browsers, and which apps have access."""
        visitor = await self.forms.visitor(request)
        overview = await self.lookups.overview(visitor.user.sub)
        done = request.parameters.get(DONE, "").upper()
        return Page(
            Account(
                visitor.user.username,
                self.forms.token(visitor),
                _claims(visitor.user),
                [_browser(it, visitor.session) for it in overview.browser_sessions],
                _apps(overview, self.descriptions),
                Notice[done] if done in Notice.__members__ else None,
            )
        )


@dataclass(frozen=True, slots=True)
class ShowPasswordForm:
    """GET /me/password."""

    forms: SignedInForms
    min_length: int

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Show the form."""
        visitor = await self.forms.visitor(request)
        return Page(ChangePassword(visitor.user.username, self.forms.token(visitor), self.min_length))


@dataclass(frozen=True, slots=True)
class SubmitPasswordForm:
    """POST /me/password."""

    forms: SignedInForms
    min_length: int
    changing: PasswordChange

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Change the password. With `end_others`, all other browsers are signed out, and all sessions of apps end."""
        visitor = await self.forms.sender(request)
        current, new = (request.parameters.get(it, "") for it in ("current_password", "new_password"))
        ends_others = request.parameters.get("end_others") == "true"
        kept = Kept(browser_session_id=visitor.session.browser_session_id, all_else=not ends_others)
        try:
            decision = await self.changing.change(visitor.user, current, new, "", request.source, kept)
        except PasswordRejectedError as rejected:
            return self._again(visitor, Problem.NEW_PASSWORD_REJECTED, 400, rejected.rejection)
        except HashingBusyError:
            return replace(self._again(visitor, Problem.BUSY, 503), retry_after=1)
        except OAuthError as error:
            if error.status != 429:
                raise
            return replace(self._again(visitor, Problem.TOO_MANY_ATTEMPTS, 429), retry_after=error.retry_after)
        if isinstance(decision, Deny):
            return self._again(visitor, Problem.CURRENT_PASSWORD_WRONG, 400)
        return self.forms.done(Notice.PASSWORD_CHANGED)

    def _again(
        self, visitor: Visitor, problem: Problem, status: int, rejection: PasswordRejection | None = None
    ) -> Page:
        token = self.forms.token(visitor)
        return Page(ChangePassword(visitor.user.username, token, self.min_length, problem, rejection), status)


def _claims(user: User) -> dict[str, str]:
    """Return what is stored about the person, by the English name of each item."""
    shown = {label: str(user.profile[name]) for name, label in _CLAIMS.items() if user.profile.get(name)}
    return shown if user.email is None else {**shown, "E-mail": user.email}


def _browser(it: BrowserSession, current: BrowserSession) -> BrowserItem:
    is_current = it.browser_session_id == current.browser_session_id
    return BrowserItem(it.browser_session_id, is_current, it.auth_time, it.used_at, it.ip, it.user_agent)


def _apps(overview: AccountOverview, descriptions: Mapping[str, Mapping[str, str]]) -> list[AppItem]:
    """Return the apps with access: those with a session, and those that were allowed something; by name."""
    consents = {it.client_id: it for it in overview.consents}
    families: dict[str, list[Family]] = {}
    for family in overview.families:
        families.setdefault(family.client_id, []).append(family)
    apps = []
    for client_id, client in overview.clients.items():
        consent = consents.get(client_id)
        apps.append(
            AppItem(
                client_id,
                app_label(client),
                [] if consent is None else scope_items(consent.scope, descriptions),
                None if consent is None else consent.updated_at,
                [_session(it) for it in families.get(client_id, ())],
            )
        )
    return sorted(apps, key=lambda it: it.app.name.casefold())


def _session(it: Family) -> SessionItem:
    return SessionItem(it.sid, it.created_at, it.rotated_at, it.last_ip, it.last_user_agent)
