"""ASGI middleware that requires a valid access token, and answers refused requests (RFC 6750)."""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, Protocol

from jeton_client.access_token import AccessToken
from jeton_client.challenges import Refusal, bearer_token, refusal
from jeton_client.errors import ClientError, InvalidTokenError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

_POLICY_VIOLATION: Final = 1008


class TokenVerifier(Protocol):
    """An AsyncVerifier or an AsyncIntrospector."""

    async def verify(self, token: str) -> AccessToken: ...


class BearerMiddleware:
    """`BearerMiddleware(app, verifier, scope=["orders"])`: `app` finds the token at `scope["access_token"]`.

    `scope` is required of every request. `report` is called with the reason of a refusal, which contains no token.
    """

    def __init__(
        self,
        app: Application,
        verifier: TokenVerifier,
        *,
        scope: Iterable[str] = (),
        realm: str = "api",
        report: Callable[[ClientError], None] | None = None,
    ) -> None:
        self._app = app
        self._verifier = verifier
        self._scope = tuple(scope)
        self._realm = realm
        self._report = report

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        # A list, because an iterator could be read only once, and the application reads the headers too.
        scope = {**scope, "headers": list(scope.get("headers") or ())}
        admitted = await admit(self._verifier, authorization_of(scope), self._scope, self._realm, self._report)
        if isinstance(admitted, AccessToken):
            await self._app({**scope, "access_token": admitted}, receive, send)
        elif scope["type"] == "http":
            await _send_refusal(admitted, send)
        else:
            await receive()  # `websocket.connect`
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": admitted.error})


async def admit(
    verifier: TokenVerifier,
    authorization: list[str],
    scope: tuple[str, ...],
    realm: str,
    report: Callable[[ClientError], None] | None = None,
) -> AccessToken | Refusal:
    """Return the token in these Authorization headers if it is valid and has the scope, otherwise the refusal."""
    try:
        token = bearer_token(authorization)
        if token is None:
            return refusal(realm, None)
        verified = await verifier.verify(token)
        if "cnf" in verified.claims:  # RFC 9449 section 7.2, RFC 8705 section 3: no proof is checked here
            raise InvalidTokenError("cnf")
        verified.require_scope(*scope)
    except ClientError as why:
        if report is not None:
            report(why)
        return refusal(realm, why)
    return verified


def authorization_of(scope: Message) -> list[str]:
    """Return the Authorization headers. Adapters differ in the case and the types of header names and values."""
    return [_text(value) for name, value in scope["headers"] if _text(name).lower() == "authorization"]


def _text(part: str | bytes | bytearray | memoryview) -> str:
    return part if isinstance(part, str) else bytes(part).decode("latin-1")


async def _send_refusal(refused: Refusal, send: Send) -> None:
    body = json.dumps({"error": refused.error}).encode()
    headers = {"content-type": "application/json", "cache-control": "no-store", **refused.headers}
    headers["content-length"] = str(len(body))
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
