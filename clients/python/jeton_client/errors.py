"""Everything that is thrown. No message holds a token, a password or a secret."""


class ClientError(Exception):
    """What all errors of this package have in common."""


class LoginRequiredError(ClientError):
    """The session is over, or there is none: log in (again). Nothing else means that."""


class ServerUnavailableError(ClientError):
    """No usable answer came, however often it was asked for; what was kept is kept. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RefusedError(ClientError):
    """The server said no (RFC 6749 section 5.2); `error` is its code, or `http_404` and the like where it gave none."""

    def __init__(self, error: str, description: str = "") -> None:
        super().__init__(f"{error}: {description}" if description else error)
        self.error = error
        self.description = description


class UntrustedServerError(ClientError):
    """An address that is neither https nor loopback, or metadata that speaks of another issuer."""


class StorageUnusableError(ClientError):
    """The storage cannot be read, written or locked, or others may read it; the message says what to do."""


class InvalidTokenError(ClientError):
    """The token is not good here. `reason` is for the log; the caller is told `invalid_token`, and nothing more."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InsufficientScopeError(ClientError):
    """The token is good, and may not do this; `scope` is what the request needs, parted by spaces."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"needs the scope {scope}")
        self.scope = scope


class MalformedRequestError(ClientError):
    """The Authorization header is no header of RFC 6750 section 2.1."""


class VerificationUnavailableError(ClientError):
    """Nobody can say just now whether the token is good. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
