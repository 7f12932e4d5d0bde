"""Logout at the request of a client: GET and POST /oauth/logout, and the user's confirmation."""

from jeton.crypto.id_token_hashes import derive_session_id
from jeton.crypto.sealed_request import SealedRequestTooLongError
from jeton.endpoints.app_labels import app_label
from jeton.endpoints.authorization.client_responses import redirect_to_client, with_parameters
from jeton.endpoints.authorization.interactions import PARAMETER, RELAY_SECONDS, Interactions, check_own_page
from jeton.endpoints.cookies import Cookie
from jeton.endpoints.id_token_hints import IdTokenHints
from jeton.endpoints.my_account.my_account_forms import SIGNED_OUT_PATH
from jeton.endpoints.page_messages import Page, PageAnswer, PageError, PageRequest, Redirect
from jeton.frozen import Frozen, replace
from jeton.login.browser_login import BrowserLogin
from jeton.oauth.authorization.interactions import Interaction
from jeton.oauth.clients import Client
from jeton.oauth.discovery import END_SESSION_PATH
from jeton.oauth.logout_rules import (
    LogoutRequest,
    LogoutRequestError,
    LogoutStep,
    check_redirect_uri,
    decide_logout,
    named_client_id,
    parse_logout_request,
    without_redirect,
)
from jeton.oauth.registration.unregistered_clients import is_vouched_for
from jeton.pages.content import Fault, SignOutQuestion
from jeton.rules.domain_policy import DomainPolicy
from jeton.storage.browser_session_lookups import Visitor
from jeton.storage.lookups import Lookups


class LogoutSteps(Frozen):
    """What asking for logout and confirming it have in common. `policy` tells which apps are known."""

    interactions: Interactions
    lookups: Lookups
    login: BrowserLogin
    policy: DomainPolicy

    async def client(self, client_id: str | None) -> Client | None:
        """Return the client, None without `client_id`. Raise PageError if there is no such client."""
        client = None if client_id is None else await self.lookups.client(client_id)
        if client_id is not None and (client is None or client.disabled):
            raise PageError(Fault.UNKNOWN_CLIENT, "client_unknown_or_disabled")
        return client

    async def open(self, interaction: Interaction) -> tuple[LogoutRequest, Client | None]:
        """Return the request in a sealed value, and its client as it is now."""
        if interaction.logout is None:
            raise PageError(Fault.EXPIRED, "sealed_request_without_logout")
        client = await self.client(interaction.logout.client_id)
        try:
            check_redirect_uri(interaction.logout.redirect_uri, client)
        except LogoutRequestError as error:
            raise _page_error(error) from None
        return interaction.logout, client

    async def visitor(self, request: PageRequest) -> Visitor | None:
        """Return who is signed in in this browser."""
        return await self.login.find(self.interactions.cookies.session_secret(request))

    async def end(self, request: PageRequest, visitor: Visitor | None) -> tuple[Cookie, ...]:
        """End the browser session, if there is one, with what goes with it. Return the cookie that says so."""
        if visitor is None:
            return ()
        await self.login.sign_out(visitor.session, "signed_out", request.source)
        return (self.interactions.cookies.signed_out(),)

    def leave(
        self,
        request: PageRequest,
        logout: LogoutRequest,
        client: Client | None,
        cookies: tuple[Cookie, ...],
        *,
        after_form: bool,
    ) -> PageAnswer:
        """Lead to the client, if it asked for that, else to the page that says that the user is signed out.

        The browser drops what it has stored only if a session has ended: any site can send requests without one.
        """
        uri, ended = logout.redirect_uri, bool(cookies)
        if uri is None or client is None:
            return Redirect(self.interactions.base + SIGNED_OUT_PATH, cookies, clears_site_data=ended)
        if logout.state is not None:
            uri = with_parameters(uri, {"state": logout.state})
        answer = redirect_to_client(request, client, uri, after_form=after_form, ui_locales=logout.ui_locales)
        return replace(answer, cookies=cookies, clears_site_data=ended)


class LogoutEndpoint(Frozen):
    """GET and POST /oauth/logout."""

    steps: LogoutSteps
    hints: IdTokenHints

    async def handle(self, request: PageRequest) -> PageAnswer:
        """End the browser session if an ID token of it came with the request; else ask the user.

        A form of the client's site brings no cookies: it is answered by a redirect to this endpoint, as in `authorize`.
        """
        interactions = self.steps.interactions
        if PARAMETER in request.parameters:
            logout, client = await self.steps.open(interactions.open(request))
            return await self._step(request, logout, client)
        logout, client = await self._read(request)
        if request.method == "POST":
            until = interactions.clock.now() + RELAY_SECONDS
            return self._redirect(Interaction(until, None, None, logout=logout))
        return await self._step(request, logout, client)

    async def _read(self, request: PageRequest) -> tuple[LogoutRequest, Client | None]:
        """Return the request and its client. Raise PageError if it is not valid: an error is never redirected."""
        hint = request.parameters.get("id_token_hint")
        claims = None if hint is None else await self.hints.verify(hint)
        try:
            client = await self.steps.client(named_client_id(request.parameters, claims))
            return parse_logout_request(request.parameters, client, claims), client
        except LogoutRequestError as error:
            raise _page_error(error) from None

    def _redirect(self, interaction: Interaction) -> PageAnswer:
        try:
            return self.steps.interactions.redirect_to(END_SESSION_PATH, interaction)
        except SealedRequestTooLongError:
            raise PageError(Fault.MALFORMED, "request_too_long") from None

    async def _step(self, request: PageRequest, logout: LogoutRequest, client: Client | None) -> PageAnswer:
        """Do what the pure decision says.

        Without an ID token of this session, no browser is led to a client that is not vouched for: any user can
        register one, get an ID token for it, and send others here with that (RFC 9700 section 4.11.2).
        """
        visitor = await self.steps.visitor(request)
        client_id = logout.client_id or ""
        sid = None if visitor is None else derive_session_id(visitor.session.browser_session_id, client_id)
        step = decide_logout(logout, sid)
        if step is not LogoutStep.END_SESSION and client and not is_vouched_for(client, self.steps.policy):
            logout = without_redirect(logout)
        if step is LogoutStep.ASK_USER and visitor is not None:
            return self._ask(request, logout, client, visitor)
        if step is LogoutStep.NOT_SIGNED_IN and not logout.has_hint:
            logout = without_redirect(logout)
        cookies = await self.steps.end(request, visitor)
        return self.steps.leave(request, logout, client, cookies, after_form=False)

    def _ask(self, request: PageRequest, logout: LogoutRequest, client: Client | None, visitor: Visitor) -> PageAnswer:
        """Return the question, with a sealed value that is bound to this browser."""
        interactions = self.steps.interactions
        begun, cookies = interactions.begin(request, None)
        try:
            sealed = interactions.sealed.seal(replace(begun, logout=logout))
        except SealedRequestTooLongError:
            raise PageError(Fault.MALFORMED, "request_too_long") from None
        app = None if client is None else app_label(client)
        return Page(
            SignOutQuestion(sealed, visitor.user.username, app),
            ui_locales=logout.ui_locales,
            form_target=logout.redirect_uri,
            cookies=cookies,
        )


class ConfirmLogout(Frozen):
    """POST /oauth/logout/confirm."""

    steps: LogoutSteps

    async def handle(self, request: PageRequest) -> PageAnswer:
        """End the browser session: the user wants it."""
        check_own_page(request)
        logout, client = await self.steps.open(self.steps.interactions.open_bound(request))
        cookies = await self.steps.end(request, await self.steps.visitor(request))
        return self.steps.leave(request, logout, client, cookies, after_form=True)


def _page_error(error: LogoutRequestError) -> PageError:
    is_uri = error.reason.startswith("post_logout_redirect_uri")
    return PageError(Fault.REDIRECT_URI if is_uri else Fault.MALFORMED, error.reason)
