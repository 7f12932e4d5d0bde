"""The demo app of `jeton serve --demo`: it sends a browser to sign in, and shows its tokens as plain text."""

import base64
import hashlib
import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from jeton.crypto.credentials import generate_cookie_secret

PORT: Final = 8001
CALLBACK_PATH: Final = "/callback"
# A native client may add any port to a loopback redirect URI (RFC 8252 section 7.3).
CALLBACK: Final = f"http://127.0.0.1:{PORT}{CALLBACK_PATH}"
_COOKIE: Final = "jeton-demo"
_SECONDS: Final = 10


def start_demo_app(issuer: str, client_id: str) -> str:
    """Serve the app in a thread until the process ends. Return its URL; on another port if the usual one is taken."""
    try:
        server = _DemoServer(PORT, issuer, client_id)
    except OSError:
        server = _DemoServer(0, issuer, client_id)
    threading.Thread(target=server.serve_forever, name="demo app", daemon=True).start()
    return f"{server.url}/"


class _DemoServer(ThreadingHTTPServer):
    """Listens on loopback."""

    def __init__(self, port: int, issuer: str, client_id: str) -> None:
        super().__init__(("127.0.0.1", port), _DemoApp)
        self.issuer = issuer
        self.client_id = client_id

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _DemoApp(BaseHTTPRequestHandler):
    """Keeps state and PKCE verifier (RFC 7636) in a cookie of the browser: it needs no memory."""

    server: _DemoServer

    def log_message(self, *_: object) -> None:
        """Log nothing: the callback is called with a code."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == CALLBACK_PATH:
            self._receive(dict(parse_qsl(parts.query)))
        elif parts.path == "/":
            self._send_to_sign_in()
        else:
            self._show(404, "There is nothing here.")

    def _send_to_sign_in(self) -> None:
        state, verifier = generate_cookie_secret(), generate_cookie_secret()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.server.client_id,
            "redirect_uri": self.server.url + CALLBACK_PATH,
            "scope": "read",
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        self.send_response(303)
        self.send_header("location", f"{self.server.issuer}/oauth/authorize?{urlencode(query)}")
        self.send_header("set-cookie", f"{_COOKIE}={state}.{verifier}; Path=/; HttpOnly; SameSite=Lax")
        self.end_headers()

    def _receive(self, answer: dict[str, str]) -> None:
        """Check the answer (RFC 6749 section 10.12, RFC 9207), redeem its code, and show the tokens."""
        cookies = dict(it.strip().partition("=")[::2] for it in self.headers.get("cookie", "").split(";"))
        state, _, verifier = cookies.get(_COOKIE, "").partition(".")
        if not state or answer.get("state") != state or answer.get("iss") != self.server.issuer:
            self._show(400, "This answer does not belong to a request of this browser. Start again at /")
        elif "code" not in answer:
            self._show(200, f"No access: {answer.get('error')}\n{answer.get('error_description', '')}\n")
        else:
            status, tokens = self._redeem(answer["code"], verifier)
            self._show(status, _described(tokens))

    def _redeem(self, code: str, verifier: str) -> tuple[int, dict[str, Any]]:
        form = {
            "grant_type": "authorization_code",
            "client_id": self.server.client_id,
            "code": code,
            "redirect_uri": self.server.url + CALLBACK_PATH,
            "code_verifier": verifier,
        }
        try:
            with urllib.request.urlopen(  # noqa: S310 - the issuer is http or https
                f"{self.server.issuer}/oauth/token", urlencode(form).encode(), timeout=_SECONDS
            ) as response:
                return 200, json.load(response)
        except urllib.error.HTTPError as error:
            return 502, json.load(error)

    def _show(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in (("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store")):
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _described(tokens: dict[str, Any]) -> str:
    """Return the answer of the token endpoint, and what the access token says."""
    text = f"You are signed in. The demo app received:\n\n{json.dumps(tokens, indent=2)}\n"
    for name in ("access_token", "id_token"):
        if name in tokens:
            payload = tokens[name].split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            text += f"\nThe {name} says:\n\n{json.dumps(claims, indent=2)}\n"
    return text
