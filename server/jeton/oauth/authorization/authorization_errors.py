"""Errors of authorization requests (RFC 6749 section 4.1.2.1)."""

from jeton.frozen import Frozen, Hidden
from jeton.oauth.errors import ErrorCode


class AuthorizationRequestError(Exception):
    """The client or the redirect URI is not known to be right: shown as a page, never redirected.

    `reason` is a fixed word for the log. `client_id` is None unless there is such a client.
    """

    def __init__(self, code: ErrorCode, reason: str, client_id: str | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.client_id = client_id


class AuthorizationErrorResponse(Frozen):
    """An error that goes to the client, at a redirect URI that is known to be right."""

    redirect_uri: str
    state: Hidden[str | None]
    response_mode: str
    error: ErrorCode
    description: str
    pushed_id: str | None = None


class AuthorizationRefusedError(Exception):
    """The request is refused with an error to the client, in `response`. `reason` is for the log."""

    def __init__(self, response: AuthorizationErrorResponse, reason: str) -> None:
        super().__init__(reason)
        self.response = response
        self.reason = reason
