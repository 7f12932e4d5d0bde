"""Client authentication (RFC 6749 section 2.3): by a secret, an assertion, a certificate, or by name."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus

from jeton.crypto.credentials import matches
from jeton.crypto.presented_jwt import UnverifiedJwt, parse_jwt
from jeton.endpoints.clients.assertion_authentication import ClientAssertions
from jeton.endpoints.clients.certificate_authentication import ClientCertificates
from jeton.endpoints.clients.client_resolution import ClientResolution
from jeton.endpoints.messages import FormRequest
from jeton.frozen import Frozen, Hidden
from jeton.grants.request_limits import RequestLimits
from jeton.oauth.client_assertions import ASSERTION_TYPE, claimed_client_id
from jeton.oauth.clients import NONE, PRIVATE_KEY_JWT, SECRET_METHODS, TLS_METHODS, Client
from jeton.oauth.errors import ErrorCode, OAuthError, malformed_request
from jeton.oauth.registration.metadata_documents import MetadataDocumentError
from jeton.oauth.sessions import Source
from jeton.storage.clock import Clock

_BASIC, _POST = SECRET_METHODS

_EXPECTED_BASIC: Final = (
    "The Authorization header authenticates the client here, by Basic: leave it out, or send client_id and "
    "client_secret in it. Tokens belong in the form."
)
_MALFORMED_BASIC: Final = (
    "The Authorization header must be Basic and the base64 of client_id:client_secret, each form-encoded."
)
_UNKNOWN: Final = "client_unknown"
_TLS_METHODS: Final = frozenset(TLS_METHODS)
_MAX_CHARACTERS: Final = 1024
# Only URLs of metadata documents are longer than 128 characters.
_CLIENT_ID: Final = re.compile(r"[\x20-\x7E]{1,128}|https?://[\x21-\x7E]{1,504}")


class AuthenticatedClient(Frozen):
    """A client that proved its identity, or a public client that named itself."""

    client: Client


class _Credentials(Frozen):
    method: str
    client_id: str
    secret: Hidden[str] = ""
    assertion: UnverifiedJwt | None = None


class ClientAuthentication(Frozen):
    """Authenticates the client of a form request.

    With `before_consent`, also a client by metadata document that has no row yet, because no user has
    allowed it anything.
    """

    clients: ClientResolution
    request_limits: RequestLimits
    assertions: ClientAssertions
    certificates: ClientCertificates
    clock: Clock
    before_consent: bool = False

    async def __call__(self, request: FormRequest) -> AuthenticatedClient:
        """Return the client. Raise the same OAuthError (invalid_client) for every reason.

        A cached client is used only if it accepts the credentials, because its secret may have changed a moment ago.
        Every refusal costs one look-up and, if something was presented as a proof, one count, so that its duration does
        not reveal which clients exist.
        """
        credentials, certificate = _presented_credentials(request), self.certificates.presented(request)
        if not _CLIENT_ID.fullmatch(credentials.client_id):
            raise OAuthError(ErrorCode.INVALID_CLIENT, "client_id_malformed")
        known, reason = self.clients.known(credentials.client_id), None
        if known is not None:
            reason = await self._rejection_reason(known, credentials, certificate)
            if reason is None:
                return AuthenticatedClient(known)
        client = await self._find(credentials.client_id, request.source)
        if client is None or client != known:
            reason = await self._rejection_reason(client, credentials, certificate)
        if client is not None and reason is None:
            return AuthenticatedClient(client)
        if credentials.method != NONE or certificate is not None:
            await self.request_limits.count_wrong_secret(credentials.client_id, request.source)
        raise OAuthError(ErrorCode.INVALID_CLIENT, reason or _UNKNOWN)

    async def _find(self, client_id: str, source: Source) -> Client | None:
        """Return the client as it is now."""
        client = await self.clients.find_caller(client_id, source)
        if client is not None or not self.before_consent or "://" not in client_id:
            return client
        try:
            return await self.clients.find(client_id, source)
        except MetadataDocumentError as error:
            raise OAuthError(ErrorCode.INVALID_CLIENT, error.reason) from None

    async def _rejection_reason(
        self, client: Client | None, credentials: _Credentials, certificate: bytes | None
    ) -> str | None:
        """Return the reason for rejecting the credentials (for the log), or None if they are valid.

        Takes as long for a client that does not exist, or that may not use this method, except with certificates.
        """
        reason = _registration_rejection_reason(client, credentials.method)
        usable = client if reason is None else None
        if credentials.assertion is not None:
            proof = await self.assertions.rejection_reason(usable, credentials.assertion)
        elif usable is not None and not _TLS_METHODS.isdisjoint(usable.auth_methods):
            proof = await self.certificates.rejection_reason(usable, certificate)
        else:
            proof = _secret_rejection_reason(usable, credentials.secret, self.clock.now())
        return reason or proof


def _registration_rejection_reason(client: Client | None, method: str) -> str | None:
    if client is None:
        return _UNKNOWN
    if client.disabled:
        return "client_disabled"
    # A certificate is presented to the proxy: in the request, the client only names itself (RFC 8705 section 2).
    may_name_itself = client.public or not _TLS_METHODS.isdisjoint(client.auth_methods)
    if method not in ((NONE,) if may_name_itself else client.auth_methods):
        return "client_auth_method_not_allowed"
    return None


def _secret_rejection_reason(client: Client | None, secret: str, now: int) -> str | None:
    secret_is_right = matches(secret, client.secret_digests(now) if client else ())
    return None if secret_is_right or (client is not None and client.public) else "client_secret_wrong"


def _presented_credentials(request: FormRequest) -> _Credentials:
    """Return the credentials of the one method that the request uses. Raise OAuthError if it uses two (section 2.3)."""
    parameters = request.parameters
    if sum((request.authorization is not None, "client_secret" in parameters, "client_assertion" in parameters)) > 1:
        raise malformed_request("The request uses two client authentication methods: use one.")
    if "client_assertion" in parameters:
        return _assertion_credentials(parameters)
    if request.authorization is None:
        if "client_id" not in parameters:
            raise OAuthError(ErrorCode.INVALID_CLIENT, "client_not_named")
        if "client_secret" in parameters:
            return _Credentials(_POST, parameters["client_id"], parameters["client_secret"])
        return _Credentials(NONE, parameters["client_id"])
    credentials = _basic_credentials(request.authorization)
    if parameters.get("client_id", credentials.client_id) != credentials.client_id:
        raise malformed_request("The parameter client_id differs from the Authorization header.")
    return credentials


def _assertion_credentials(parameters: Mapping[str, str]) -> _Credentials:
    """Return the credentials of an assertion, which may stand without a `client_id` (RFC 7521 section 4.2)."""
    assertion = parse_jwt(parameters["client_assertion"])
    if parameters.get("client_assertion_type") != ASSERTION_TYPE or assertion is None:
        raise OAuthError(ErrorCode.INVALID_CLIENT, "client_assertion_malformed")
    client_id = claimed_client_id(assertion.claims)
    if parameters.get("client_id", client_id) != client_id:
        raise OAuthError(ErrorCode.INVALID_CLIENT, "client_assertion_of_another_client")
    return _Credentials(PRIVATE_KEY_JWT, client_id, assertion=assertion)


def _basic_credentials(authorization: str) -> _Credentials:
    """Return the client id and secret of an Authorization header.

    Each was form-encoded before they were joined by a colon (section 2.3.1, appendix B).
    """
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise _malformed_header(_EXPECTED_BASIC)
    try:
        if len(encoded) > _MAX_CHARACTERS:
            raise ValueError
        client_id, colon, secret = base64.b64decode(encoded.strip(" "), validate=True).decode("utf-8").partition(":")
        if not colon:
            raise ValueError
        client_id, secret = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        raise _malformed_header(_MALFORMED_BASIC) from None
    # Many libraries send an empty secret for a public client (section 2.3.1 allows to omit it); it proves nothing.
    return _Credentials(_BASIC, client_id, secret) if secret else _Credentials(NONE, client_id)


def _malformed_header(description: str) -> OAuthError:
    """Return the refusal of an Authorization header by its form, which tells nothing of which clients exist."""
    return OAuthError(ErrorCode.INVALID_CLIENT, "authorization_header_malformed", description=description)
