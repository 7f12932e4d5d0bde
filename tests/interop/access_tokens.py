"""Access tokens for tests of resource servers: requested by bare HTTP, and tampered with."""

import base64
import json
import urllib.parse
import urllib.request
from typing import Any

from interop.live_server import Live
from support.server_processes import wait_until


def token_response(live: Live, **parameters: str) -> dict[str, Any]:
    """Log in with the client `web-basic`, without an OAuth library."""
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


def tampered(token: str, part: int, **changes: Any) -> str:
    """Return the token with another header (part 0) or other claims (part 1), and the signature it had."""
    parts = token.split(".")
    changed = json.dumps(_decoded(parts[part]) | changes).encode()
    parts[part] = base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
    return ".".join(parts)


def rotate_key(live: Live) -> str:
    """Rotate the signing key as in an emergency. Return its kid when the server signs with it."""
    (kid,) = (key["kid"] for key in live.server.json("keys", "rotate", "--now") if key["state"] == "active")
    wait_until(lambda: header_of(access_token(live))["kid"] == kid, f"the server signs with {kid}", seconds=10)
    return str(kid)


def _decoded(part: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(part + "==")))
