"""Error codes and what the client hears of them (RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750 section 3.1)."""

from enum import StrEnum
from typing import Final


class ErrorCode(StrEnum):
    """Registered codes only, in the order of the RFCs."""

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


# One fixed sentence per code, so that an answer never tells which of several reasons it was.
_DESCRIPTION: Final = {
    ErrorCode.INVALID_CLIENT: "Client authentication failed.",
    ErrorCode.INVALID_GRANT: "The credentials or the token are invalid, expired, revoked, or not this client's.",
    ErrorCode.UNAUTHORIZED_CLIENT: "This client may not use this grant type.",
    ErrorCode.UNSUPPORTED_GRANT_TYPE: "This grant type is not offered by this server.",
    ErrorCode.INVALID_SCOPE: "The scope is malformed or exceeds what may be granted.",
    ErrorCode.SERVER_ERROR: "The server failed; nothing was changed by this request as far as it knows.",
    ErrorCode.TEMPORARILY_UNAVAILABLE: "The server cannot answer just now; try again after a moment.",
    ErrorCode.INVALID_TOKEN: "The access token is malformed, expired, ended, or not a user's token for this server.",
    ErrorCode.INSUFFICIENT_SCOPE: "The access token does not hold the scope that is needed.",
}


class OAuthError(Exception):
    """A refusal. `reason`, and what it is `about`, go to the log; the client hears `description`.

    For `invalid_request` the reason is itself the description: it speaks of the form of the caller's own request, is
    one of our own sentences (never the caller's text), and tells the developer what to mend.
    """

    def __init__(self, code: ErrorCode, reason: str, **about: str | int | None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.about = about

    @property
    def description(self) -> str:
        return _DESCRIPTION.get(self.code, self.reason)


class CredentialsFormError(OAuthError):
    """The Authorization header is not one that authenticates clients. `sentence` says what is expected instead.

    It speaks of the header's form only, so it tells nothing of which clients there are.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(ErrorCode.INVALID_CLIENT, "authorization_header_malformed")
        self._sentence = sentence

    @property
    def description(self) -> str:
        return self._sentence


class RateLimitedError(OAuthError):
    """A refusal of one attempt too many: 429, to be tried again after so many seconds (RFC 6585 section 4).

    RFC 6749 has no code for it: clients know this one as "later", and the status says why.
    """

    def __init__(self, reason: str, retry_after: int, **about: str | int | None) -> None:
        super().__init__(ErrorCode.TEMPORARILY_UNAVAILABLE, reason, **about)
        self.retry_after = max(1, retry_after)


class AccessTokenError(OAuthError):
    """A request to a protected resource is not let in by its access token (RFC 6750 section 3).

    Whoever sent none at all (`sent`) is told no code; `scope` is what the token would have to hold.
    """

    def __init__(self, code: ErrorCode, reason: str, *, sent: bool = True, scope: str | None = None) -> None:
        super().__init__(code, reason)
        self.sent = sent
        self.scope = scope


class NotFoundError(OAuthError):
    """There is no such thing, or it is somebody else's: 404 either way. The reason is a sentence to show."""

    def __init__(self, reason: str) -> None:
        super().__init__(ErrorCode.INVALID_REQUEST, reason)
