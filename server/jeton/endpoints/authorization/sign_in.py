"""The sign-in page: GET and POST /sign-in, and POST /sign-in/other for another account."""

from jeton.crypto.hashing_pool import HashingBusyError
from jeton.endpoints.app_labels import app_label
from jeton.endpoints.authorization.interactions import (
    MY_ACCOUNT_PATH,
    PARAMETER,
    SIGN_IN_PATH,
    Interactions,
    check_own_page,
    client_of,
)
from jeton.endpoints.clients.client_resolution import ClientResolution
from jeton.endpoints.page_messages import Page, PageAnswer, PageRequest, Redirect
from jeton.frozen import Frozen, replace
from jeton.login.browser_login import BrowserLogin
from jeton.oauth.authorization.authorization_request import AuthorizationRequest
from jeton.oauth.authorization.interactions import Interaction, authenticate_again
from jeton.oauth.decisions import Deny
from jeton.oauth.errors import OAuthError
from jeton.oauth.metadata import AUTHORIZATION_PATH
from jeton.oauth.sessions import Source
from jeton.pages.content import AppLabel, Problem, SignIn


class ShowSignIn(Frozen):
    """GET /sign-in."""

    interactions: Interactions
    clients: ClientResolution

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Show the form. Without an authorization request, the person signs in for their account page."""
        if PARAMETER not in request.parameters:
            interaction, cookies = self.interactions.begin(request, None)
            return self.interactions.redirect_to(SIGN_IN_PATH, interaction, cookies)
        interaction = self.interactions.open_bound(request)
        hint = interaction.request.login_hint if interaction.request is not None else None
        return await sign_in_page(request, interaction, self.clients, hint or "")


class SubmitSignIn(Frozen):
    """POST /sign-in."""

    interactions: Interactions
    clients: ClientResolution
    login: BrowserLogin

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Check the password as every login does. Then go on with the authorization request, or to the account page."""
        check_own_page(request)
        interaction = self.interactions.open_bound(request)
        username, password = request.parameters.get("username", ""), request.parameters.get("password", "")
        if not (username and password):
            return await self._again(request, interaction, Problem.CREDENTIALS_MISSING, 400)
        cookies = self.interactions.cookies
        visitor = await self.login.find(cookies.session_secret(request))
        current = None if visitor is None else visitor.session
        client_id = "" if interaction.request is None else interaction.request.client_id
        try:
            signed_in = await self.login.sign_in(username, password, client_id, request.source, current)
        except HashingBusyError:
            page = await self._again(request, interaction, Problem.BUSY, 503)
            return replace(page, retry_after=1)
        except OAuthError as error:
            if error.status != 429:
                raise
            page = await self._again(request, interaction, Problem.TOO_MANY_ATTEMPTS, 429)
            return replace(page, retry_after=error.retry_after)
        if isinstance(signed_in, Deny):
            return await self._again(request, interaction, Problem.WRONG_CREDENTIALS, 400)
        new_cookies = (cookies.signed_in(signed_in.secret),)
        if interaction.request is None:
            return Redirect(self.interactions.base + MY_ACCOUNT_PATH, new_cookies)
        return self.interactions.redirect_to(AUTHORIZATION_PATH, interaction, new_cookies)

    async def _again(self, request: PageRequest, interaction: Interaction, problem: Problem, status: int) -> Page:
        username = request.parameters.get("username", "")
        return await sign_in_page(request, interaction, self.clients, username, problem, status)


class UseOtherAccount(Frozen):
    """POST /sign-in/other."""

    interactions: Interactions
    login: BrowserLogin

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Redirect to the sign-in page, although a user is signed in."""
        check_own_page(request)
        interaction = self.interactions.open_bound(request)
        visitor = await self.login.find(self.interactions.cookies.session_secret(request))
        session = None if visitor is None else visitor.session
        return self.interactions.sign_in_again(interaction, authenticate_again(session, self.interactions.clock.now()))


async def sign_in_page(
    request: PageRequest,
    interaction: Interaction,
    clients: ClientResolution,
    username: str,
    problem: Problem | None = None,
    status: int = 200,
) -> Page:
    """Return the page with the form. Its form leads, by redirects, to the client."""
    authorization = interaction.request
    return Page(
        SignIn(request.parameters[PARAMETER], await _app(authorization, clients, request.source), username, problem),
        status,
        () if authorization is None else authorization.ui_locales,
        None if authorization is None else authorization.redirect_uri,
    )


async def _app(
    authorization: AuthorizationRequest | None, clients: ClientResolution, source: Source
) -> AppLabel | None:
    """Return how the client is shown. Raise PageError if it may not have its request any more."""
    if authorization is None:
        return None
    return app_label(await client_of(authorization, clients, source), authorization.redirect_uri)
