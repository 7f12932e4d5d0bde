"""Errors of this package. No message contains a token, a password or a secret."""


class ClientError(Exception):
    """Superclass of all errors of this package."""


class LoginRequiredError(ClientError):
    """There is no session, or it has ended: a login is required. No other error means this."""


class ServerUnavailableError(ClientError):
    """No usable response after all attempts. The session is kept. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RefusedError(ClientError):
    """A refusal by the server (RFC 6749 section 5.2); `error` is its code, or for example `http_404` without one."""

    def __init__(self, error: str, description: str = "") -> None:
        super().__init__(f"{error}: {description}" if description else error)
        self.error = error
        self.description = description


class AccessDeniedError(RefusedError):
    """The person, or the server for them, refused the authorization: `access_denied` (RFC 6749 section 4.1.2.1)."""


class InteractionRequiredError(RefusedError):
    """The server must show a page, but the request has `prompt=none` (OpenID Connect Core 3.1.2.6)."""


class InvalidCallbackError(ClientError):
    """The redirect does not answer this request: begin again. `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UntrustedServerError(ClientError):
    """A URL that is neither https nor loopback, or metadata that names another issuer."""


class StorageUnusableError(ClientError):
    """The storage cannot be read, written or locked, or others can read it; the message says what to do."""


class InvalidTokenError(ClientError):
    """The token is not valid here. `reason` is for the log; callers see only `invalid_token`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InvalidProofError(ClientError):
    """The DPoP proof is not valid for this request. `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NonceRequiredError(ClientError):
    """The DPoP proof lacks a current nonce: the client repeats its request with the one in the response."""


class InsufficientScopeError(ClientError):
    """The token is valid but lacks scope; `scope` is what the request requires, separated by spaces."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"requires the scope {scope}")
        self.scope = scope


class MalformedRequestError(ClientError):
    """The Authorization header is malformed (RFC 6750 section 2.1)."""


class VerificationUnavailableError(ClientError):
    """The token cannot be verified at the moment. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
