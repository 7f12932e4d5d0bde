"""ASGI middleware that requires a valid access token, and answers refused requests (RFC 6750, RFC 9728, RFC 9449)."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import quote

from jeton_client.access_token import AccessToken
from jeton_client.admission import PresentedRequest, Requirements, TokenVerifier
from jeton_client.errors import ClientError
from jeton_client.protected_resource import ProtectedResource

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

_POLICY_VIOLATION: Final = 1008
_METADATA_METHODS: Final = ("GET", "HEAD", "OPTIONS")
# Pages of any origin may read the metadata, and browsers first ask with which headers.
_PUBLIC: Final = {
    "cache-control": "public, max-age=300",
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "*",
    "access-control-allow-methods": "GET, HEAD",
    "allow": ", ".join(_METADATA_METHODS),
}


class BearerMiddleware:
    """`BearerMiddleware(app, verifier, scope=["orders"])`: `app` finds the token at `scope["access_token"]`.

    `scope` is required of every request. With `resource`, its metadata are served without a token, challenges lead to
    them, and with `resource.dpop` tokens that are bound to a key are accepted with a proof. `report` is called with the
    reason of a refusal, which contains no token.
    """

    def __init__(
        self,
        app: Application,
        verifier: TokenVerifier,
        *,
        scope: Iterable[str] = (),
        realm: str = "api",
        resource: ProtectedResource | None = None,
        report: Callable[[ClientError], None] | None = None,
    ) -> None:
        self._app = app
        self._requirements = Requirements(verifier, tuple(scope), realm, resource, report)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        # A list, because an iterator could be read only once, and the application reads the headers too.
        scope = {**scope, "headers": list(scope.get("headers") or ())}
        request, resource = presented_request(scope), self._requirements.resource
        if resource is not None and request.path == resource.metadata_path:
            await _send_metadata(resource, request.method, send)
            return
        admitted = await self._requirements.admit(request)
        if isinstance(admitted, AccessToken):
            more = self._requirements.headers()
            await self._app({**scope, "access_token": admitted}, receive, _with_headers(send, more) if more else send)
        elif scope["type"] == "http":
            await _send_json(
                admitted.status, {"error": admitted.error}, {"cache-control": "no-store", **admitted.headers}, send
            )
        else:
            await receive()  # `websocket.connect`
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": admitted.error})


def presented_request(scope: Message) -> PresentedRequest:
    """Return what matters of a request. Adapters differ in the case and the types of header names and values."""
    named = [(_text(name).lower(), _text(value)) for name, value in scope["headers"]]
    path = scope.get("raw_path") or quote(scope.get("path", "/"))
    return PresentedRequest(
        [value for name, value in named if name == "authorization"],
        [value for name, value in named if name == "dpop"],
        scope.get("method", "GET"),
        _text(path).partition("?")[0],
    )


def _text(part: str | bytes | bytearray | memoryview) -> str:
    return part if isinstance(part, str) else bytes(part).decode("latin-1")


def _with_headers(send: Send, more: Mapping[str, str]) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            message = {**message, "headers": [*message.get("headers", ()), *_encoded(more)]}
        await send(message)

    return send_with_headers


async def _send_metadata(resource: ProtectedResource, method: str, send: Send) -> None:
    if method == "GET":
        await _send_json(200, resource.metadata(), _PUBLIC, send)
    else:
        status = 204 if method == "OPTIONS" else 200 if method == "HEAD" else 405
        await send({"type": "http.response.start", "status": status, "headers": _encoded(_PUBLIC)})
        await send({"type": "http.response.body"})


async def _send_json(status: int, content: Mapping[str, Any], headers: Mapping[str, str], send: Send) -> None:
    body = json.dumps(content).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    await send({"type": "http.response.start", "status": status, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": body})


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
