"""ASGI middleware that counts requests and measures how long they take."""

from collections.abc import Collection
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jeton.observability.metrics import request_duration

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})


class RequestMetrics:
    """Counts by path template. `paths` are those that the router does not see; a path that leads nowhere is `none`."""

    def __init__(self, app: ASGIApp, paths: Collection[str]) -> None:
        self._app = app
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = perf_counter(), 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            # Without a response, the client has gone.
            duration = request_duration(self._route(scope), method, str(status or "none"))
            duration.observe(perf_counter() - began)

    def _route(self, scope: Scope) -> str:
        """Return the path's template: a caller may write a token into the path."""
        path: str = scope["path"]
        return path if path in self._paths else str(getattr(scope.get("route"), "path_format", "none"))
