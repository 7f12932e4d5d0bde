"""What every request meets first."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jeton.http.draining import Draining
from jeton.http.form_endpoint import FormEndpoint
from jeton.http.responses import Header

# For every answer, whatever else it is: nothing here is a page, and nothing is to be guessed.
_HEADERS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
# Workers share one listening socket, and kept-alive connections stay with whoever took them: now and then one is
# closed, and its client comes to whoever is least busy.
ANSWERS_PER_CLOSED_CONNECTION: Final = 250
_CLOSE: Final[tuple[Header, ...]] = ((b"connection", b"close"),)
_STAY_WITH_HTTPS: Final[Header] = (b"strict-transport-security", b"max-age=31536000")


def security_headers(issuer: str) -> tuple[Header, ...]:
    """The header fields of every answer; where the issuer is https, browsers are told to stay with it (RFC 6797)."""
    return (*_HEADERS, _STAY_WITH_HTTPS) if issuer.startswith("https:") else _HEADERS


class Entrance:
    """Leads form requests straight to their endpoint, and all others on into the application."""

    def __init__(
        self, app: ASGIApp, *, forms: Mapping[str, FormEndpoint], headers: Sequence[Header], draining: Draining
    ) -> None:
        self._app = app
        self._draining = draining
        self._forms = forms
        self._headers = headers
        self._forms_answered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        form = self._forms.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if form is not None:
            self._forms_answered += 1
            closing = self._draining.has_begun or self._forms_answered % ANSWERS_PER_CLOSED_CONNECTION == 0
            await form(scope, receive, _with_headers(send, _CLOSE) if closing else send)
            return

        headers = (*self._headers, *_CLOSE) if self._draining.has_begun else self._headers
        await self._app(scope, receive, _with_headers(send, headers))


def _with_headers(send: Send, headers: Sequence[Header]) -> Send:
    """`send`, with these header fields added to the response."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *headers]
        await send(message)

    return send_with_headers
