"""The authorization endpoint: GET and POST /oauth/authorize (RFC 6749 section 3.1, OpenID Connect Core 3.1.2)."""

from typing import Final

from jeton.crypto.sealed_request import SealedRequestTooLongError
from jeton.endpoints.authorization.authorization_requests import AuthorizationRequests
from jeton.endpoints.authorization.client_responses import ClientResponses
from jeton.endpoints.authorization.interactions import (
    CONSENT_PATH,
    PARAMETER,
    SIGN_IN_PATH,
    Interactions,
    client_of,
    find_client,
)
from jeton.endpoints.clients.client_resolution import ClientResolution
from jeton.endpoints.page_messages import PageAnswer, PageError, PageRequest
from jeton.frozen import Frozen, replace
from jeton.login.browser_login import BrowserLogin
from jeton.oauth.authorization.authorization_errors import AuthorizationRefusedError, AuthorizationRequestError
from jeton.oauth.authorization.authorization_request import (
    AuthorizationRequest,
    ResponseTarget,
    error_response,
    parse_client_and_redirect_uri,
)
from jeton.oauth.authorization.authorization_rules import AskConsent, AskSignIn, Proceed, Refuse, decide_next_step
from jeton.oauth.authorization.code_issuance import Approval
from jeton.oauth.authorization.interactions import Freshness, Interaction, freshness_on_arrival
from jeton.oauth.authorization.pushed_requests import REQUEST_URI_PREFIX
from jeton.oauth.clients import Client
from jeton.oauth.errors import ErrorCode
from jeton.oauth.scope import Scope
from jeton.pages.content import Fault
from jeton.storage.browser_session_lookups import BrowserSessionLookups, Visitor
from jeton.storage.lookups import Lookups

_PUSH_REQUIRED: Final = "Push the request first: this client has to use pushed authorization requests (RFC 9126)."
_MAX_LOGGED_CHARACTERS: Final = 200
# All other errors of this kind are malformed requests.
_FAULTS: Final = {
    "client_unknown": Fault.UNKNOWN_CLIENT,
    "client_disabled": Fault.UNKNOWN_CLIENT,
    "redirect_uri_not_registered": Fault.REDIRECT_URI,
}


class AuthorizationEndpoint(Frozen):
    """Reads the request, finds out who is signed in, and takes the next step.

    `optional` are the scopes that people may leave out. With `require_par`, every client must push its requests.
    """

    interactions: Interactions
    requests: AuthorizationRequests
    clients: ClientResolution
    lookups: Lookups
    browser_lookups: BrowserSessionLookups
    login: BrowserLogin
    responses: ClientResponses
    optional: Scope
    require_par: bool

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Answer a request of a client, or one that comes back from a page."""
        if PARAMETER in request.parameters:
            interaction = self.interactions.open(request)
            if interaction.request is None:
                raise PageError(Fault.EXPIRED, "sealed_request_without_request")
            client = await client_of(interaction.request, self.clients, request.source)
            is_bound = interaction.browser is not None
            try:
                if is_bound:
                    return await self._go_on(request, interaction, interaction.request, client)
                return await self._arrive(request, interaction.request, client)
            except SealedRequestTooLongError:
                return await self._refuse_length(request, client, interaction.request, after_form=is_bound)
        request, pushed_id = await self._pushed(request)
        try:
            return await self._read(request, pushed_id)
        except AuthorizationRequestError as error:
            raise PageError(_fault_of(error), error.reason, about=_about(error, request)) from None

    async def _pushed(self, request: PageRequest) -> tuple[PageRequest, str | None]:
        """Return the request that was pushed, with its identifier; any other request as it is.

        Of the request that refers to it, nothing but `client_id` counts (RFC 9126 section 4).
        """
        if not request.parameters.get("request_uri", "").startswith(REQUEST_URI_PREFIX):
            return request, None
        pushed = self.interactions.open_pushed(request)
        await self.responses.pushed.check_unused(pushed.pushed_id)
        return replace(request, parameters=pushed.parameters, lists=pushed.lists), pushed.pushed_id

    async def _read(self, request: PageRequest, pushed_id: str | None) -> PageAnswer:
        """Validate in the order that RFC 6749 section 4.1.2.1 requires: client, redirect URI, everything else.

        A pushed request is validated again, because the client may have changed.
        """
        client_id = request.parameters.get("client_id")
        client = None if client_id is None else await find_client(client_id, self.clients, request.source)
        target = parse_client_and_redirect_uri(request.parameters, client, pushed_id)
        if client is None:
            raise PageError(Fault.UNKNOWN_CLIENT, "client_unknown")
        try:
            if pushed_id is None and (self.require_par or client.require_par):
                refusal = error_response(target, ErrorCode.INVALID_REQUEST, _PUSH_REQUIRED)
                raise AuthorizationRefusedError(refusal, "request_not_pushed")
            authorization = await self.requests.validate(request.parameters, request.lists, client, target)
            if request.method == "POST":
                return self.interactions.relay(authorization)
            return await self._arrive(request, authorization, client)
        except AuthorizationRefusedError as error:
            return await self.responses.send_error(request, client, error.response, error.reason, after_form=False)
        except SealedRequestTooLongError:
            return await self._refuse_length(request, client, target, after_form=False)

    async def _refuse_length(
        self, request: PageRequest, client: Client, target: ResponseTarget | AuthorizationRequest, *, after_form: bool
    ) -> PageAnswer:
        """Tell the client that its request, with what the next page needs, does not fit into a sealed value."""
        response = error_response(target, ErrorCode.INVALID_REQUEST, "The request is too long.")
        return await self.responses.send_error(request, client, response, "request_too_long", after_form=after_form)

    async def _arrive(self, request: PageRequest, authorization: AuthorizationRequest, client: Client) -> PageAnswer:
        """Take the first step of a request that has just reached this browser."""
        visitor = await self._visitor(request)
        now = self.interactions.clock.now()
        freshness = freshness_on_arrival(authorization, None if visitor is None else visitor.session, now)
        return await self._step(request, authorization, client, visitor, freshness, None)

    async def _go_on(
        self, request: PageRequest, interaction: Interaction, authorization: AuthorizationRequest, client: Client
    ) -> PageAnswer:
        """Take the next step of a request after a page."""
        visitor = await self._visitor(request)
        return await self._step(request, authorization, client, visitor, interaction.freshness, interaction)

    async def _visitor(self, request: PageRequest) -> Visitor | None:
        return await self.login.find(self.interactions.cookies.session_secret(request))

    async def _step(
        self,
        request: PageRequest,
        authorization: AuthorizationRequest,
        client: Client,
        visitor: Visitor | None,
        freshness: Freshness,
        interaction: Interaction | None,
    ) -> PageAnswer:
        """Do what the pure decision says. `interaction` is None if the person has seen no page yet."""
        session, after_form = None if visitor is None else visitor.session, interaction is not None
        consent = None
        if session is not None:
            consent = await self.browser_lookups.consent(session.sub, client.client_id)
        step = decide_next_step(
            authorization, client, session, consent, freshness, has_seen_pages=after_form, optional=self.optional
        )
        match step:
            case AskSignIn():
                begun, cookies = self.interactions.begin(request, authorization, freshness)
                return self.interactions.redirect_to(SIGN_IN_PATH, interaction or begun, () if interaction else cookies)
            case AskConsent(shown):
                begun, cookies = self.interactions.begin(request, authorization, freshness)
                return self.interactions.redirect_to(CONSENT_PATH, replace(interaction or begun, shown=shown), cookies)
            case Refuse(error, description):
                response = error_response(authorization, error, description)
                sub = None if session is None else session.sub
                return await self.responses.send_error(
                    request, client, response, error.value, after_form=after_form, sub=sub
                )
            case Proceed() if session is not None:
                approval = Approval(client, session, authorization.scope, consented=False)
                return await self.responses.send_code(request, authorization, approval, after_form=after_form)
        raise PageError(Fault.FAILED, "no_step", status=500)


def _fault_of(error: AuthorizationRequestError) -> Fault:
    return _FAULTS.get(error.reason, Fault.MALFORMED)


def _about(error: AuthorizationRequestError, request: PageRequest) -> dict[str, str | None]:
    """Return what the log line adds: an operator compares an unregistered redirect URI with the registered ones."""
    about = {"error": error.code.value, "client_id": error.client_id}
    if error.reason == "redirect_uri_not_registered":
        about["redirect_uri"] = request.parameters["redirect_uri"][:_MAX_LOGGED_CHARACTERS]
    return about
