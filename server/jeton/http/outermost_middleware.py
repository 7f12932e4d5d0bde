"""Outermost ASGI middleware: request identifiers, metrics, security headers, closing of connections, and routing.

Paths without parameters are routed here.
"""

from collections.abc import Awaitable, Mapping, Sequence
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jeton.http.draining import Draining
from jeton.http.request_metrics import observe_request
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
        began, status, origin = perf_counter(), None, request_origin(scope)
        current_origin.set(origin)
        headers = [*self._headers_of(scope), (b"x-request-id", str(origin.request_id).encode())]

        def send_with_headers(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                sent = [*message["headers"], *headers]
                message["headers"] = sent if _NO_PAGE[0] in [name for name, _ in sent] else [*sent, _NO_PAGE]
            return send(message)

        app = self._direct.get(scope["path"])
        try:
            await (app or self._app)(scope, receive, send_with_headers)
        finally:
            observe_request(scope, status, perf_counter() - began, is_direct=app is not None)

    def _headers_of(self, scope: Scope) -> Sequence[Header]:
        """Return the header fields that every response to this request has."""
        closing = self._draining.has_begun
        if scope["method"] == "POST":
            self._posts_answered += 1
            closing = closing or self._posts_answered % ANSWERS_PER_CLOSED_CONNECTION == 0
        return self._closing_headers if closing else self._headers
