"""Access tokens for tests of resource servers: had from a live server by bare HTTP, and tampered with."""

import base64
import json
import urllib.parse
import urllib.request
from typing import Any

from interop.live_server import Live
from support.server_processes import wait_until


def token_response(live: Live, **parameters: str) -> dict[str, Any]:
    """The answer to a login with the client `web-basic`, with no OAuth library between."""
    form = {"grant_type": "password", "username": live.username, "password": live.password, **parameters}
    credentials = base64.b64encode(f"web-basic:{live.secrets['web-basic']}".encode()).decode()
    request = urllib.request.Request(
        live.token_endpoint, urllib.parse.urlencode(form).encode(), {"Authorization": f"Basic {credentials}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.load(answer))


def access_token(live: Live, **parameters: str) -> str:
    return str(token_response(live, **parameters)["access_token"])


def header_of(token: str) -> dict[str, Any]:
    return _decoded(token.partition(".")[0])


def with_header(token: str, **changes: Any) -> str:
    """The token with another header, and the signature it had."""
    header, payload, signature = token.split(".")
    return f"{_encoded(_decoded(header) | changes)}.{payload}.{signature}"


def with_claims(token: str, **changes: Any) -> str:
    """The token with other claims, and the signature it had."""
    header, payload, signature = token.split(".")
    return f"{header}.{_encoded(_decoded(payload) | changes)}.{signature}"


def rotate_key(live: Live) -> str:
    """Rotates the signing key as an operator does in an emergency; gives its kid once the server signs with it."""
    keys = live.installation.run("keys", "rotate", "--now")
    (kid,) = (key["kid"] for key in keys if key["state"] == "active")
    wait_until(lambda: header_of(access_token(live))["kid"] == kid, f"the server signs with {kid}", seconds=10)
    return str(kid)


def _decoded(part: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(part + "==")))


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
