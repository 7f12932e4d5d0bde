"""Log-in of a command-line or desktop app: by the browser, which comes back to a port of this machine (RFC 8252)."""

import html
import sys
import time
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Final
from urllib.parse import urlsplit

from jeton_client.authorization_request import AuthorizationRequest, PendingAuthorization
from jeton_client.errors import ClientError, InvalidCallbackError, LoginRequiredError
from jeton_client.token_answers import Tokens
from jeton_client.token_session import TokenSession

TIMEOUT_SECONDS: Final = 300.0
_HOST: Final = "127.0.0.1"  # not localhost, which can be another interface (RFC 8252 section 8.3)
_IDLE_SECONDS: Final = 5.0
_MAX_WAITING: Final = 16
_NOT_WAITING: Final = "The app does not wait for a login any more."
_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>{text}</title><p>{text}</p></html>"
)
_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the URL has the code
    "Connection": "close",
}


@dataclass(frozen=True, slots=True)
class _Redirect:
    """A request to the redirect URI, whose thread waits for the status and the text to answer."""

    callback: str = field(repr=False)
    answer: Queue[tuple[int, str]] = field(default_factory=lambda: Queue(1))
    is_sent: Event = field(default_factory=Event)


def show_in_browser(url: str) -> None:
    """Open the URL in the user's browser, or print it if there is none."""
    if not webbrowser.open(url):
        print(f"Open this address in a browser on this machine:\n{url}", file=sys.stderr)


def log_in_by_browser(
    session: TokenSession,
    request: AuthorizationRequest,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    show: Callable[[str], object] = show_in_browser,
) -> tuple[Tokens, PendingAuthorization]:
    """Send the user's browser to the server, wait for the redirect, and start the session.

    Return what an IdTokenVerifier verifies, if the scope has `openid`.
    `request.redirect_uri` is as registered: `http://127.0.0.1/callback`. Without a port, any free one is used. `show`
    receives the URL. Raise LoginRequiredError after `timeout_seconds`, and what `finish_authorization` raises.
    """
    parts = urlsplit(request.redirect_uri)
    if parts.scheme != "http" or parts.hostname != _HOST or parts.query or parts.fragment:
        raise ValueError(f"the redirect URI must begin with http://{_HOST}, and have neither query nor fragment")
    with _Listener(parts.port or 0, parts.path) as listener:
        redirect_uri = f"http://{_HOST}:{listener.port}{parts.path}"
        url, pending = session.start_authorization(replace(request, redirect_uri=redirect_uri))
        show(url)
        until = time.monotonic() + timeout_seconds
        while (tokens := _finished(session, pending, listener.next_redirect(until))) is None:
            pass
        return tokens, pending


def _finished(session: TokenSession, pending: PendingAuthorization, redirect: _Redirect) -> Tokens | None:
    """Return the tokens if this redirect started the session. Ignore one that does not answer the request.

    Any page in the browser can send a request to the port. It must not be able to end the login.
    """
    status, text, tokens = 400, _NOT_WAITING, None
    try:
        tokens = session.finish_authorization(pending, redirect.callback)
        status, text = 200, "You are logged in. You can close this window."
    except InvalidCallbackError:
        text = "This address does not belong to the login that is under way."
    except ClientError as error:
        text = f"You are not logged in: {error}"
        raise
    finally:
        redirect.answer.put((status, text))
        redirect.is_sent.wait(_IDLE_SECONDS)
    return tokens


class _Listener:
    """An HTTP server on loopback that accepts redirects to one path. A thread serves each connection.

    Browsers open connections ahead of use, which must not block the one with the redirect.
    """

    def __init__(self, port: int, path: str) -> None:
        self._redirects: Queue[_Redirect] = Queue(_MAX_WAITING)
        self._server = ThreadingHTTPServer((_HOST, port), _handler(path or "/", self._redirects))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def next_redirect(self, until: float) -> _Redirect:
        """Return the next redirect. Raise LoginRequiredError at `until`, a time of `time.monotonic`."""
        try:
            return self._redirects.get(timeout=max(until - time.monotonic(), 0))
        except Empty:
            raise LoginRequiredError("the login in the browser was not completed in time") from None

    def __enter__(self) -> "_Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        while not self._redirects.empty():
            self._redirects.get_nowait().answer.put((400, _NOT_WAITING))


def _handler(path: str, redirects: Queue[_Redirect]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _IDLE_SECONDS  # without receiving a byte

        def do_GET(self) -> None:
            # Another host is a name of an attacker that resolves to this machine (DNS rebinding).
            if (
                self.headers.get("host") != f"{_HOST}:{self.connection.getsockname()[1]}"
                or self.path.partition("?")[0] != path
            ):
                self._answer(404, "There is nothing at this address.")
                return
            redirect = _Redirect(f"?{self.path.partition('?')[2]}")
            try:
                redirects.put_nowait(redirect)
            except Full:
                self._answer(503, "There are too many requests at once.")
                return
            try:
                self._answer(*redirect.answer.get())
            finally:
                redirect.is_sent.set()

        def _answer(self, status: int, text: str) -> None:
            page = _PAGE.format(text=html.escape(text)).encode()
            self.send_response(status)
            for name, value in {**_HEADERS, "Content-Length": str(len(page))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(page)

        def version_string(self) -> str:
            return "loopback"

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: the request line has the code."""

    return Handler
