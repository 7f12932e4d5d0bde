"""A resource server as in the MCP specification: it accepts only tokens for its own URL and has RFC 9728 metadata."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from jeton_client import ClientError, Verifier
from support.remote_server import RemoteRequest, json_response, response, threaded_server

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

            async def respond(request: RemoteRequest) -> bytes:
                if request.url.path == _METADATA_PATH:
                    return json_response(self.metadata())
                if request.url.path != _PATH:
                    return response("404 Not Found")
                token = request.headers.get("authorization", "").removeprefix("Bearer ")
                try:
                    return json_response(dict(verifier.verify(token).claims))
                except ClientError:
                    challenge = f'WWW-Authenticate: Bearer resource_metadata="{self.metadata_url}"'
                    return json_response({}, "401 Unauthorized", challenge)

            with threaded_server(respond, port=self.port):
                yield self

    def metadata(self) -> dict[str, Any]:
        """Return the protected resource metadata (RFC 9728 section 2)."""
        return {
            "resource": self.url,
            "authorization_servers": [self.issuer],
            "scopes_supported": list(self.scope),
            "bearer_methods_supported": ["header"],
        }
