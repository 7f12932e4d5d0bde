"""A resource server as in the MCP specification: it accepts only tokens for its own URL and has RFC 9728 metadata."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from jeton_client import ClientError, Verifier

_PATH: Final = "/mcp"
_METADATA_PATH: Final = "/.well-known/oauth-protected-resource" + _PATH


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """A resource and its authorization server. It responds with the claims of the presented token."""

    port: int
    issuer: str
    scope: tuple[str, ...]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{_PATH}"

    @property
    def metadata_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{_METADATA_PATH}"

    @contextmanager
    def serving(self) -> Iterator["ProtectedResource"]:
        with Verifier(self.issuer, self.url) as verifier:
            server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self, verifier))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield self
            finally:
                server.shutdown()
                server.server_close()

    def metadata(self) -> dict[str, Any]:
        """Return the protected resource metadata (RFC 9728 section 2)."""
        return {
            "resource": self.url,
            "authorization_servers": [self.issuer],
            "scopes_supported": list(self.scope),
            "bearer_methods_supported": ["header"],
        }


def _handler(resource: ProtectedResource, verifier: Verifier) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Suppress the log of requests."""

        def do_GET(self) -> None:
            if self.path == _METADATA_PATH:
                self._answer(200, resource.metadata())
            elif self.path == _PATH:
                self._protected()
            else:
                self._answer(404, {})

        def _protected(self) -> None:
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            try:
                claims = dict(verifier.verify(token).claims)
            except ClientError:
                challenge = f'Bearer resource_metadata="{resource.metadata_url}"'
                self._answer(401, {}, {"WWW-Authenticate": challenge})
                return
            self._answer(200, claims)

        def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

    return Handler
