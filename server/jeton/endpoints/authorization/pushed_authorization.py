"""Pushed authorization request endpoint: POST /oauth/par (RFC 9126)."""

from collections.abc import Awaitable, Callable

from jeton.crypto.credentials import generate_pushed_id
from jeton.crypto.sealed_request import SealedRequests, SealedRequestTooLongError
from jeton.endpoints.authorization.authorization_requests import AuthorizationRequests
from jeton.endpoints.clients.client_authentication import AuthenticatedClient
from jeton.endpoints.dpop_verification import DpopVerification
from jeton.endpoints.messages import FormRequest, Json
from jeton.frozen import Frozen
from jeton.grants.request_limits import RequestLimits
from jeton.oauth.authorization.authorization_errors import AuthorizationRefusedError, AuthorizationRequestError
from jeton.oauth.authorization.authorization_request import parse_client_and_redirect_uri
from jeton.oauth.authorization.pushed_requests import (
    PUSHED_SECONDS,
    REQUEST_URI_PREFIX,
    PushedRequest,
    pushed_request_error,
    request_parameters,
)
from jeton.oauth.errors import malformed_request
from jeton.oauth.metadata import PAR_PATH
from jeton.storage.clock import Clock


class PushedAuthorizationEndpoint(Frozen):
    """Validates a request, and returns a reference to it. Nothing is stored: the reference is the request, sealed.

    Nor is a DPoP proof remembered as used here, where it allows nothing: the code takes another one by the same key.
    """

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedClient]]
    requests: AuthorizationRequests
    sealed: SealedRequests
    request_limits: RequestLimits
    dpop: DpopVerification
    clock: Clock

    async def handle(self, request: FormRequest, caller: AuthenticatedClient) -> Json:
        """Return the reference (section 2.2). Raise OAuthError if the request is not valid."""
        client = caller.client
        self.request_limits.count_request(client, request.source)
        proof = self.dpop.verify(request, PAR_PATH)
        parameters = request_parameters(request.parameters, client.client_id, None if proof is None else proof.jkt)
        try:
            target = parse_client_and_redirect_uri(parameters, client)
            await self.requests.validate(parameters, request.lists, client, target)
        except (AuthorizationRequestError, AuthorizationRefusedError) as error:
            raise pushed_request_error(error) from None
        expires_at = self.clock.now() + PUSHED_SECONDS
        pushed = PushedRequest(expires_at, client.client_id, generate_pushed_id(), parameters, request.lists)
        try:
            request_uri = REQUEST_URI_PREFIX + self.sealed.seal(pushed)
        except SealedRequestTooLongError:
            raise malformed_request("The request is too long.", 413) from None
        return Json({"request_uri": request_uri, "expires_in": PUSHED_SECONDS}, status=201)
