"""Error codes, and the one exception for every refusal (RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750 section 3.1)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal

from jeton.frozen import Frozen


class ErrorCode(StrEnum):
    """Registered error codes, in the order of the RFCs."""

    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    INVALID_SCOPE = "invalid_scope"
    SERVER_ERROR = "server_error"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    INVALID_TOKEN = "invalid_token"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    # RFC 6749 section 4.1.2.1
    ACCESS_DENIED = "access_denied"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    # RFC 8707 section 2
    INVALID_TARGET = "invalid_target"
    # RFC 7591 section 3.2.2
    INVALID_REDIRECT_URI = "invalid_redirect_uri"
    INVALID_CLIENT_METADATA = "invalid_client_metadata"
    # RFC 9449 sections 5 and 8
    INVALID_DPOP_PROOF = "invalid_dpop_proof"
    USE_DPOP_NONCE = "use_dpop_nonce"
    # OpenID Connect Core section 3.1.2.6
    INTERACTION_REQUIRED = "interaction_required"
    LOGIN_REQUIRED = "login_required"
    ACCOUNT_SELECTION_REQUIRED = "account_selection_required"
    CONSENT_REQUIRED = "consent_required"
    REQUEST_NOT_SUPPORTED = "request_not_supported"
    REQUEST_URI_NOT_SUPPORTED = "request_uri_not_supported"
    REGISTRATION_NOT_SUPPORTED = "registration_not_supported"


# One fixed sentence per code, so that a response never tells which of several reasons it was.
_DESCRIPTION: Final = {
    ErrorCode.INVALID_CLIENT: "Client authentication failed.",
    ErrorCode.INVALID_GRANT: (
        "The credentials, code or token are invalid, expired, used, revoked, or not this client's."
        " For a code, code_verifier and redirect_uri must match the authorization request."
    ),
    ErrorCode.UNAUTHORIZED_CLIENT: "This client may not use this grant type.",
    ErrorCode.UNSUPPORTED_GRANT_TYPE: "This grant type is not offered by this server.",
    ErrorCode.INVALID_SCOPE: "The scope is malformed or exceeds what may be granted.",
    ErrorCode.SERVER_ERROR: "The server failed; nothing was changed by this request as far as it knows.",
    ErrorCode.TEMPORARILY_UNAVAILABLE: "The server cannot answer just now; try again after a moment.",
    ErrorCode.INVALID_TOKEN: "The access token is malformed, expired, ended, or not a user's token for this server.",
    ErrorCode.INSUFFICIENT_SCOPE: "The access token does not hold the scope that is needed.",
    ErrorCode.ACCESS_DENIED: "The user or the server refused the request.",
    ErrorCode.UNSUPPORTED_RESPONSE_TYPE: "The only response_type here is code.",
    ErrorCode.INVALID_TARGET: "A resource is malformed, unknown, or not one that may be requested.",
    ErrorCode.INVALID_DPOP_PROOF: "The DPoP proof is missing, malformed, expired, used, or not for this request.",
    ErrorCode.USE_DPOP_NONCE: "Sign a new DPoP proof with the nonce in the header DPoP-Nonce.",
    ErrorCode.INTERACTION_REQUIRED: "The user must be shown a page.",
    ErrorCode.LOGIN_REQUIRED: "The user must sign in.",
    ErrorCode.ACCOUNT_SELECTION_REQUIRED: "The user must choose an account.",
    ErrorCode.CONSENT_REQUIRED: "The user must be asked for consent.",
    ErrorCode.REQUEST_NOT_SUPPORTED: "Send the parameters themselves: request objects are not supported.",
    ErrorCode.REQUEST_URI_NOT_SUPPORTED: "Send the parameters themselves: request_uri is not supported.",
    ErrorCode.REGISTRATION_NOT_SUPPORTED: "The parameter registration is not supported.",
}
_STATUS: Final = {
    ErrorCode.INVALID_CLIENT: 401,
    ErrorCode.SERVER_ERROR: 500,
    ErrorCode.TEMPORARILY_UNAVAILABLE: 503,
    ErrorCode.INVALID_TOKEN: 401,
    ErrorCode.INSUFFICIENT_SCOPE: 403,
}
# After how many seconds to try again when the server does not know better.
_RETRY_SECONDS: Final = 1


class Challenge(Frozen):
    """What would let the request in (RFC 9110 section 11.6.1).

    `scope` is what an access token would have to hold. Without `explained`, the response holds no error code.
    `resource_metadata` is where the requirements of the resource are described (RFC 9728 section 5.1). With
    `dpop_algorithms`, both Bearer and DPoP are offered (RFC 9449 section 7.1); `scheme` is the one that was used.
    """

    scheme: Literal["Basic", "Bearer", "DPoP"]
    scope: str | None = None
    explained: bool = True
    resource_metadata: str | None = None
    dpop_algorithms: tuple[str, ...] = ()


_BASIC: Final = Challenge("Basic")
_BEARER: Final = Challenge("Bearer")


class OAuthError(Exception):
    """A refusal, with all that its response needs.

    `reason` and the fields of `about` go to the log; the client receives `description`. For `invalid_request`, and for
    client metadata, the reason is itself the description: it concerns the form of the caller's own request, is one of
    our own sentences (never the caller's text), and tells the developer what to correct.
    """

    def __init__(
        self,
        code: ErrorCode,
        reason: str,
        *,
        description: str | None = None,
        status: int | None = None,
        retry_after: int | None = None,
        challenge: Challenge | None = None,
        about: Mapping[str, str | int | None] | None = None,
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.description = description or _DESCRIPTION.get(code, reason)
        self.status = status or _STATUS.get(code, 400)
        self.retry_after = _RETRY_SECONDS if self.status == 503 else retry_after
        self.challenge = _BASIC if challenge is None and code is ErrorCode.INVALID_CLIENT else challenge
        self.about = about or {}


class TemporarilyUnavailableError(Exception):
    """Marks exceptions that mean "try again later": something that the server depends on cannot be used now."""


def malformed_request(description: str, status: int = 400) -> OAuthError:
    """Return the refusal of a request by its form; `status` if HTTP has a better one than 400."""
    return OAuthError(ErrorCode.INVALID_REQUEST, description, status=status)


def not_found(description: str) -> OAuthError:
    """Return the refusal for what does not exist or belongs to another user: 404 in both cases."""
    return malformed_request(description, 404)


def server_error() -> OAuthError:
    """Return the refusal for an unexpected exception."""
    return OAuthError(ErrorCode.SERVER_ERROR, "unexpected")


def temporarily_unavailable(reason: str) -> OAuthError:
    """Return the refusal for what cannot be done now: 503."""
    return OAuthError(ErrorCode.TEMPORARILY_UNAVAILABLE, reason)


def rate_limited(reason: str, retry_after: int, about: Mapping[str, str | int | None] | None = None) -> OAuthError:
    """Return the refusal of one attempt too many: 429, with the seconds after which to retry (RFC 6585 section 4).

    RFC 6749 has no code for it. Clients treat this one as "try again later", and the status says why.
    """
    code = ErrorCode.TEMPORARILY_UNAVAILABLE
    return OAuthError(code, reason, status=429, retry_after=max(1, retry_after), about=about)


def invalid_access_token(reason: str) -> OAuthError:
    """Return the refusal of an access token (RFC 6750 section 3.1)."""
    return OAuthError(ErrorCode.INVALID_TOKEN, reason, challenge=_BEARER)


def missing_access_token() -> OAuthError:
    """Return the refusal of a request without an access token. It holds no error code (RFC 6750 section 3.1)."""
    challenge = Challenge("Bearer", explained=False)
    return OAuthError(ErrorCode.INVALID_TOKEN, "access_token_missing", challenge=challenge)


def invalid_registration_token(reason: str) -> OAuthError:
    """Return the refusal of a token for registration (RFC 7591 section 3, RFC 7592 section 2)."""
    description = "The token is malformed, expired, used up, or not one for this registration."
    return OAuthError(ErrorCode.INVALID_TOKEN, reason, description=description, challenge=_BEARER)


def insufficient_scope(reason: str, scope: str) -> OAuthError:
    """Return the refusal of an access token that lacks `scope`."""
    return OAuthError(ErrorCode.INSUFFICIENT_SCOPE, reason, challenge=Challenge("Bearer", scope))


def invalid_dpop_proof(reason: str) -> OAuthError:
    """Return the refusal of a DPoP proof (RFC 9449 section 5)."""
    return OAuthError(ErrorCode.INVALID_DPOP_PROOF, reason)


def malformed_bearer_request(description: str) -> OAuthError:
    """Return the refusal of a request to a protected resource by its form (RFC 6750 section 3.1)."""
    return OAuthError(ErrorCode.INVALID_REQUEST, description, challenge=_BEARER)
