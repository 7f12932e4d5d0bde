"""Client authentication (RFC 6749 section 2.3): client_secret_basic, client_secret_post, or the bare client_id of a
public client."""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_plus

from jeton.crypto.credentials import matches
from jeton.endpoints.messages import FormRequest
from jeton.grants.request_limits import RequestLimits
from jeton.oauth.clients import Client
from jeton.oauth.errors import ErrorCode, OAuthError, malformed_request
from jeton.storage.clock import Clock
from jeton.storage.lookups import Lookups

BASIC: Final = "client_secret_basic"
POST: Final = "client_secret_post"
NONE: Final = "none"

_EXPECTED_BASIC: Final = (
    "The Authorization header authenticates the client here, by Basic: leave it out, or send client_id and "
    "client_secret in it. Tokens belong in the form."
)
_MALFORMED_BASIC: Final = (
    "The Authorization header must be Basic and the base64 of client_id:client_secret, each form-encoded."
)
_UNKNOWN: Final = "client_unknown"
_MAX_CHARACTERS: Final = 1024
_CLIENT_ID: Final = re.compile(r"[\x20-\x7E]{1,128}")


@dataclass(frozen=True, slots=True)
class AuthenticatedClient:
    """A client that proved its identity, or a public client that named itself."""

    client: Client


@dataclass(frozen=True, slots=True)
class _Credentials:
    method: str
    client_id: str
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ClientAuthentication:
    """Authenticates the client of a form request."""

    lookups: Lookups
    request_limits: RequestLimits
    clock: Clock

    async def __call__(self, request: FormRequest) -> AuthenticatedClient:
        """Return the client. Raise the same OAuthError (invalid_client) for every reason.

        A cached client is used only if it accepts the credentials, because its secret may have changed a moment ago.
        Every refusal costs one look-up and, if a secret was presented, one count, so that its duration does not reveal
        which clients exist.
        """
        credentials = _presented_credentials(request)
        if not _CLIENT_ID.fullmatch(credentials.client_id):
            raise OAuthError(ErrorCode.INVALID_CLIENT, "client_id_malformed")
        client = self.lookups.known_client(credentials.client_id)
        if client is not None and _rejection_reason(client, credentials, self.clock.now()) is None:
            return AuthenticatedClient(client)
        client = await self.lookups.client(credentials.client_id, fresh=True)
        reason = _rejection_reason(client, credentials, self.clock.now())
        if client is not None and reason is None:
            return AuthenticatedClient(client)
        if credentials.method != NONE:
            await self.request_limits.count_wrong_secret(credentials.client_id, request.source)
        raise OAuthError(ErrorCode.INVALID_CLIENT, reason or _UNKNOWN)


def _rejection_reason(client: Client | None, credentials: _Credentials, now: int) -> str | None:
    """Return the reason for rejecting the credentials (for the log), or None if they are valid.

    Takes as long for a client that does not exist.
    """
    secret_is_right = matches(credentials.secret, client.secret_digests(now) if client else ())
    if client is None:
        return _UNKNOWN
    if client.disabled:
        return "client_disabled"
    if credentials.method not in ({NONE} if client.public else client.auth_methods):
        return "client_auth_method_not_allowed"
    if not client.public and not secret_is_right:
        return "client_secret_wrong"
    return None


def _presented_credentials(request: FormRequest) -> _Credentials:
    """Return the credentials of the one method that the request uses. Raise OAuthError if it uses two (section 2.3)."""
    parameters = request.parameters
    # An assertion (RFC 7521 section 4.2) is a method as well, although this server does not support it.
    if sum((request.authorization is not None, "client_secret" in parameters, "client_assertion" in parameters)) > 1:
        raise malformed_request("The request uses two client authentication methods: use one.")
    if request.authorization is None:
        if "client_id" not in parameters:
            raise OAuthError(ErrorCode.INVALID_CLIENT, "client_not_named")
        if "client_secret" in parameters:
            return _Credentials(POST, parameters["client_id"], parameters["client_secret"])
        return _Credentials(NONE, parameters["client_id"])
    credentials = _basic_credentials(request.authorization)
    if parameters.get("client_id", credentials.client_id) != credentials.client_id:
        raise malformed_request("The parameter client_id differs from the Authorization header.")
    return credentials


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
    return _Credentials(BASIC, client_id, secret) if secret else _Credentials(NONE, client_id)


def _malformed_header(description: str) -> OAuthError:
    """Return the refusal of an Authorization header by its form, which tells nothing of which clients exist."""
    return OAuthError(ErrorCode.INVALID_CLIENT, "authorization_header_malformed", description=description)
