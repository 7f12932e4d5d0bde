"""Sealed values between the pages of one sign-in (ADR 0025)."""

from typing import Final
from urllib.parse import urlencode

from jeton.crypto.sealed_request import SealedRequests
from jeton.endpoints.browser_cookies import BrowserCookies
from jeton.endpoints.clients.client_resolution import ClientResolution
from jeton.endpoints.cookies import Cookie
from jeton.endpoints.page_messages import PageError, PageRequest, Redirect
from jeton.frozen import Frozen, replace
from jeton.oauth.authorization.authorization_request import AuthorizationRequest
from jeton.oauth.authorization.interactions import ANY_AUTHENTICATION, Freshness, Interaction
from jeton.oauth.authorization.pushed_requests import REQUEST_URI_PREFIX, PushedRequest
from jeton.oauth.authorization.redirect_uris import is_registered_redirect_uri
from jeton.oauth.clients import Client
from jeton.oauth.metadata import AUTHORIZATION_PATH
from jeton.oauth.registration.metadata_documents import MetadataDocumentError
from jeton.oauth.sessions import Source
from jeton.pages.content import Fault
from jeton.storage.clock import Clock

PARAMETER: Final = "sealed_request"
SIGN_IN_PATH: Final = "/sign-in"
CONSENT_PATH: Final = "/consent"
MY_ACCOUNT_PATH: Final = "/me"

INTERACTION_SECONDS: Final = 30 * 60
# From the client's site to this server: the browser follows at once.
RELAY_SECONDS: Final = 60


class Interactions(Frozen):
    """Seals interactions, leads to the next page with them, and opens them there. `base` is the path of the issuer."""

    base: str
    sealed: SealedRequests
    cookies: BrowserCookies
    clock: Clock

    def begin(
        self,
        request: PageRequest,
        authorization: AuthorizationRequest | None,
        freshness: Freshness = ANY_AUTHENTICATION,
    ) -> tuple[Interaction, tuple[Cookie, ...]]:
        """Return an interaction that is bound to this browser, and the cookies to set for that."""
        digest, cookies = self.cookies.bind(request)
        return Interaction(self.clock.now() + INTERACTION_SECONDS, digest, authorization, freshness), cookies

    def relay(self, authorization: AuthorizationRequest) -> Redirect:
        """Return the redirect that brings a request to the authorization endpoint again, this time with cookies.

        A browser sends no SameSite=Lax cookie with a form that another site posts.
        """
        return self.redirect_to(AUTHORIZATION_PATH, Interaction(self.clock.now() + RELAY_SECONDS, None, authorization))

    def redirect_to(self, path: str, interaction: Interaction, cookies: tuple[Cookie, ...] = ()) -> Redirect:
        """Return the redirect to a page. Raise SealedRequestTooLongError if the request is too long."""
        return Redirect(f"{self.base}{path}?{urlencode({PARAMETER: self.sealed.seal(interaction)})}", cookies)

    def open(self, request: PageRequest) -> Interaction:
        """Return the interaction. Raise PageError if it has expired, or belongs to another browser."""
        interaction = self.sealed.open(request.parameters.get(PARAMETER, ""), self.clock.now(), Interaction)
        if interaction is None:
            raise PageError(Fault.EXPIRED, "sealed_request_invalid_or_expired")
        if interaction.browser is not None and interaction.browser != self.cookies.digest(request):
            raise PageError(Fault.EXPIRED, "sealed_request_of_another_browser")
        return interaction

    def open_pushed(self, request: PageRequest) -> PushedRequest:
        """Return the pushed request that `request_uri` refers to. Raise PageError unless this client pushed it."""
        about = {"error": "invalid_request_uri"}
        sealed = request.parameters["request_uri"].removeprefix(REQUEST_URI_PREFIX)
        pushed = self.sealed.open(sealed, self.clock.now(), PushedRequest)
        if pushed is None:
            raise PageError(Fault.EXPIRED, "request_uri_invalid_or_expired", about=about)
        if request.parameters.get("client_id") != pushed.client_id:
            raise PageError(Fault.MALFORMED, "request_uri_of_another_client", about=about)
        return pushed

    def open_bound(self, request: PageRequest) -> Interaction:
        """Return the interaction, as `open` does. Raise PageError if it is not bound to this browser."""
        interaction = self.open(request)
        if interaction.browser is None:
            raise PageError(Fault.EXPIRED, "sealed_request_not_bound")
        return interaction

    def sign_in_again(self, interaction: Interaction, freshness: Freshness) -> Redirect:
        """Return the redirect to the sign-in page, where only a new authentication continues."""
        return self.redirect_to(SIGN_IN_PATH, replace(interaction, freshness=freshness, shown=None))


async def client_of(authorization: AuthorizationRequest, clients: ClientResolution, source: Source) -> Client:
    """Return the client of a request that was valid before. Raise PageError if it may not have it any more."""
    client = await find_client(authorization.client_id, clients, source)
    if client is None or client.disabled:
        raise PageError(Fault.UNKNOWN_CLIENT, "client_deleted_or_disabled")
    if not is_registered_redirect_uri(authorization.redirect_uri, client):
        raise PageError(Fault.REDIRECT_URI, "redirect_uri_no_longer_registered")
    return client


async def find_client(client_id: str, clients: ClientResolution, source: Source) -> Client | None:
    """Return the client, or None if there is none. Raise PageError if its metadata document cannot be used.

    It is a page in each case: without a document, no redirect URI is known to be right.
    """
    try:
        return await clients.find(client_id, source)
    except MetadataDocumentError as error:
        about = {"client_id": client_id, "detail": error.reason}
        raise PageError(Fault.METADATA_DOCUMENT, "metadata_document_refused", about=about) from None


def check_own_page(request: PageRequest) -> None:
    """Raise PageError if another site sent the form (CSRF)."""
    if not request.from_own_page:
        raise PageError(Fault.OTHER_SITE, "form_of_another_site", status=403)
