"""Header fields that every answer has, whatever else it is: nothing here is a page, and nothing is to be guessed."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jeton.http.answers import Header

_HEADERS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
_STAY_WITH_HTTPS: Final[Header] = (b"strict-transport-security", b"max-age=31536000")


class SecurityHeaders:
    """Adds them to each response; where the issuer is https, browsers are told to stay with it (RFC 6797)."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = (*_HEADERS, _STAY_WITH_HTTPS) if https else _HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)
