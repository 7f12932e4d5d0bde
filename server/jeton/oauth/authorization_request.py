"""The authorization request (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1)."""

from dataclasses import dataclass, field

from jeton.oauth.errors import ErrorCode
from jeton.oauth.scope import Scope


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that was found to be valid.

    `redirect_uri` is where the answer goes; `redirect_uri_sent` is False if the request left it to the only registered
    one. `response_mode` is "query" or "form_post". `scope` is what may be granted, `resources` the registered spelling
    of the `resource` values. `code_challenge` is an S256 challenge (RFC 7636), or None if the client may go without.
    `max_age` is in seconds. `id_token_hint_sub` is the subject of a verified `id_token_hint`.
    """

    client_id: str
    redirect_uri: str
    redirect_uri_sent: bool
    state: str | None = field(repr=False)
    response_mode: str
    scope: Scope
    resources: tuple[str, ...]
    code_challenge: str | None
    nonce: str | None = field(repr=False)
    prompt: frozenset[str]
    max_age: int | None
    login_hint: str | None
    ui_locales: tuple[str, ...]
    id_token_hint_sub: str | None


class AuthorizationRequestError(Exception):
    """The client or the redirect URI is not known to be right: shown as a page, never redirected (section 4.1.2.1).

    `reason` is a fixed word for the log. `client_id` is None unless there is such a client.
    """

    def __init__(self, code: ErrorCode, reason: str, client_id: str | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.client_id = client_id


@dataclass(frozen=True, slots=True)
class AuthorizationErrorResponse:
    """An error that goes to the client, at a redirect URI that is known to be right (section 4.1.2.1)."""

    redirect_uri: str
    state: str | None = field(repr=False)
    response_mode: str
    error: ErrorCode
    description: str


class AuthorizationRefusedError(Exception):
    """The request is refused, and the client is told: `response` says what. `reason` is a fixed word for the log."""

    def __init__(self, response: AuthorizationErrorResponse, reason: str) -> None:
        super().__init__(reason)
        self.response = response
        self.reason = reason
