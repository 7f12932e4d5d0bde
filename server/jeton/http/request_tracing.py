"""ASGI middleware that makes a span of OpenTelemetry for each request (ADR 0042)."""

from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jeton.http.request_metrics import METHODS, path_template
from jeton.observability.tracing import tracing


class RequestTracing:
    """Makes spans that are named after method and path template. `paths` are those that the router does not see."""

    def __init__(self, app: ASGIApp, paths: Collection[str]) -> None:
        self._app = app
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        with tracing.request(method, scope["scheme"], _traceparent(scope)) as attributes:
            try:
                await self._app(scope, receive, send_and_note)
            finally:
                if (route := path_template(scope, is_direct=scope["path"] in self._paths)) is not None:
                    attributes["http.route"] = route
                if status:
                    attributes["http.response.status_code"] = status
                if status == 0 or status >= 500:
                    attributes["error.type"] = str(status or "no_response")


def _traceparent(scope: Scope) -> str | None:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None)
