"""Outermost ASGI middleware: request identifiers, security headers, closing of connections, and routing.

Paths without parameters are routed here.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jeton.http.draining import Draining
from jeton.http.request_origin import request_origin
from jeton.http.responses import Header
from jeton.observability.origin import current_origin

# For every response: nothing is to be guessed, and no address is to be passed on.
_HEADERS: Final[tuple[Header, ...]] = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
# For every response that has no policy of its own, because it is no page.
_NO_PAGE: Final[Header] = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
# Workers share one listening socket, and a kept-alive connection stays with the worker that accepted it. Closing one
# now and then lets its client connect to the least busy worker.
ANSWERS_PER_CLOSED_CONNECTION: Final = 250
_CLOSE: Final[Header] = (b"connection", b"close")
_STAY_WITH_HTTPS: Final[Header] = (b"strict-transport-security", b"max-age=31536000")


class OutermostMiddleware:
    """Passes requests for paths without parameters straight to what serves them, and all others to the application.

    `direct` holds those by path. They answer every method and every failure themselves. Going around the router, which
    tries one pattern after the other, saves them more time than their own work costs.
    """

    def __init__(self, app: ASGIApp, *, direct: Mapping[str, ASGIApp], issuer: str, draining: Draining) -> None:
        self._app = app
        self._direct = direct
        # Browsers are told to stay with https if the issuer uses it (RFC 6797).
        self._headers = (*_HEADERS, _STAY_WITH_HTTPS) if issuer.startswith("https:") else _HEADERS
        self._closing_headers = (*self._headers, _CLOSE)
        self._draining = draining
        self._posts_answered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = request_origin(scope)
        current_origin.set(origin)
        closing = self._draining.has_begun
        if scope["method"] == "POST":
            self._posts_answered += 1
            closing = closing or self._posts_answered % ANSWERS_PER_CLOSED_CONNECTION == 0
        app = self._direct.get(scope["path"], self._app)
        headers = self._closing_headers if closing else self._headers
        request_id = (b"x-request-id", str(origin.request_id).encode())
        await app(scope, receive, _with_headers(send, (*headers, request_id)))


def _with_headers(send: Send, headers: Sequence[Header]) -> Send:
    """Return `send`, with these header fields and a content security policy added to the response."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            sent = message["headers"]
            has_policy = any(name == _NO_PAGE[0] for name, _ in sent)
            message["headers"] = [*sent, *headers] if has_policy else [*sent, *headers, _NO_PAGE]
        await send(message)

    return send_with_headers
