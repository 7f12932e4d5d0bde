"""Rendering: one table from error code to status, one place for headers (RFC 6749 section 5, RFC 6750 section 3)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from starlette.types import Send

from jeton.oauth.errors import AccessTokenError, ErrorCode, NotFoundError, OAuthError, RateLimitedError

Header = tuple[bytes, bytes]

_STATUS: Final = {
    ErrorCode.INVALID_CLIENT: 401,
    ErrorCode.SERVER_ERROR: 500,
    ErrorCode.TEMPORARILY_UNAVAILABLE: 503,
    ErrorCode.INVALID_TOKEN: 401,
    ErrorCode.INSUFFICIENT_SCOPE: 403,
}
JSON: Final[Header] = (b"content-type", b"application/json")
NO_STORE: Final[Sequence[Header]] = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"))
_CHALLENGE: Final[Header] = (b"www-authenticate", b'Basic realm="jeton", charset="UTF-8"')
_RETRY_AFTER: Final[Header] = (b"retry-after", b"1")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A response, ready to send."""

    status: int
    headers: Sequence[Header]
    body: bytes = b""

    def with_headers(self, *headers: Header) -> "Rendered":
        return replace(self, headers=(*self.headers, *headers))

    async def send(self, send: Send, *more: Header) -> None:
        headers = [*self.headers, *more]
        if self.status not in (204, 304):
            headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def render_content(content: Mapping[str, Any]) -> Rendered:
    """Return the successful response of a form endpoint."""
    return Rendered(200, (JSON, *NO_STORE), msgspec.json.encode(content))


def render_error(error: OAuthError, status: int | None = None) -> Rendered:
    """A refusal; `status` where HTTP has a better one than 400 for the form of the request."""
    status = status or _STATUS.get(error.code, 400)
    extra: Sequence[Header] = {401: (_CHALLENGE,), 503: (_RETRY_AFTER,)}.get(status, ())
    told = {"error": error.code.value, "error_description": error.description}
    if isinstance(error, RateLimitedError):
        status, extra = 429, ((b"retry-after", b"%d" % error.retry_after),)
    elif isinstance(error, NotFoundError):
        status = 404
    elif isinstance(error, AccessTokenError):
        told = told if error.sent else {}
        extra = (_bearer_challenge(told, error.scope),)
    return Rendered(status, (JSON, *NO_STORE, *extra), msgspec.json.encode(told))


def render_method_not_allowed(methods: Iterable[str]) -> Rendered:
    """Return the 405 of a path that offers these methods only (RFC 9110 section 15.5.6)."""
    rendered = render_error(OAuthError(ErrorCode.INVALID_REQUEST, "This path does not offer that method."), 405)
    return rendered.with_headers((b"allow", ", ".join(methods).encode()))


def _bearer_challenge(told: Mapping[str, str], scope: str | None) -> Header:
    """What would let a request in. Our sentences hold no quote and no backslash."""
    parameters = {"realm": "jeton", **told, **({"scope": scope} if scope else {})}
    return b"www-authenticate", ("Bearer " + ", ".join(f'{it}="{text}"' for it, text in parameters.items())).encode()
