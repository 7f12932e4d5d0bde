"""Several HTTPS hosts behind one nginx: Jeton, two apps in cookie mode, and two hostile hosts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from support.checkout import ROOT
from support.cli_runner import CommandLine
from support.remote_server import RemoteRequest, json_response, threaded_server
from support.reverse_proxies import nginx
from support.server_processes import free_port
from support.tls_certificates import server_certificate

ISSUER: Final = "https://id.example.test"
APP: Final = "https://app.example.test"
SHOP: Final = "https://shop.example.test"
# One host of the same site as the apps, and one of another site.
SIBLING: Final = "https://evil.example.test"
STRANGER: Final = "https://other.test"
AUDIENCE: Final = "https://orders.example"

_EXAMPLES: Final = ROOT / "examples"
_CLIENT: Final = ROOT / "clients" / "typescript" / "dist"
_HOSTS: Final = """
server {{
    listen 127.0.0.1:{port} ssl; server_name id.example.test; {tls}
    location / {{ proxy_pass http://127.0.0.1:{jeton}; proxy_set_header X-Forwarded-For $remote_addr; }}
    location = /oauth/token {{ proxy_pass http://127.0.0.1:{lossy}; proxy_set_header X-Forwarded-For $remote_addr; }}
}}
server {{
    listen 127.0.0.1:{port} ssl; server_name app.example.test; {tls}
    root {examples}/single-page-app-cookie; index index.html;
    location / {{ try_files $uri /index.html; }}
    location /client/ {{ alias {client}/; }}
    location = /style.css {{ alias {examples}/single-page-app/style.css; }}
    location = /config.json {{ return 200 '{config}'; }}
    location = /orders {{ proxy_pass http://127.0.0.1:{api}; }}
}}
server {{
    listen 127.0.0.1:{port} ssl; server_name evil.example.test other.test; {tls}
    location / {{ default_type text/html; return 200 '<!doctype html><title>evil</title>'; }}
}}
"""


@dataclass
class Api:
    """The API of the apps. It verifies access tokens, and records the requests."""

    jwks_url: str
    received: list[dict[str, str]] = field(default_factory=list)

    async def respond(self, request: RemoteRequest) -> bytes:
        """Respond to a request for the orders."""
        self.received.append(request.headers)
        refusal = json_response({}, "401 Unauthorized")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        keys = KeySet.import_key_set(httpx2.get(self.jwks_url).json())
        try:
            claims = jwt.decode(token, keys, algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            return refusal
        # With `openid` the token is for userinfo as well.
        right = scheme == "Bearer" and claims["iss"] == ISSUER and AUDIENCE in claims["aud"]
        return json_response({"orders": [{"what": "three apples"}]}) if right else refusal

    @contextmanager
    def serving(self) -> Iterator[int]:
        """Serve on a free port until the end of the block. Yield the port."""
        with threaded_server(self.respond) as server:
            yield server.port


def add_clients(run: CommandLine) -> None:
    """Register both apps, and one of the sibling's own."""
    page = ("--public", "--application-type", "spa", "--grant", "authorization_code", "--grant", "refresh_token")
    for client_id, origin in (("orders-cookie", APP), ("orders-behind-nginx", SHOP), ("sibling", SIBLING)):
        scope = [word for scope in ("openid", "profile", "orders") for word in ("--scope", scope)]
        origins = ("--redirect-uri", f"{origin}/callback", "--origin", origin)
        own = ("--audience", AUDIENCE, "--first-party", "--refresh-cookie")
        run.json("client", "add", client_id, *page, *scope, *origins, *own)


@contextmanager
def https_sites(folder: Path, jeton_port: int, lossy_port: int, api_port: int) -> Iterator[int]:
    """Serve all hosts. Yield the port to which a browser must map them."""
    certificate = server_certificate(folder, "*.example.test", "other.test")
    port = free_port()
    tls = f"ssl_certificate {certificate}; ssl_certificate_key {certificate};"
    config = json.dumps({"issuer": ISSUER, "api": APP})
    hosts = _HOSTS.format(
        port=port,
        tls=tls,
        jeton=jeton_port,
        lossy=lossy_port,
        api=api_port,
        examples=_EXAMPLES,
        client=_CLIENT,
        config=config,
    )
    with nginx(folder, hosts + _behind_nginx(folder, port, jeton_port, api_port, certificate), port):
        yield port


def _behind_nginx(folder: Path, port: int, jeton_port: int, api_port: int, certificate: Path) -> str:
    """Return the configuration of the example, with the addresses and names of this test."""
    page = folder / "behind-nginx"
    page.mkdir()
    for file in ("index.html", "app.js"):
        (page / file).write_bytes((_EXAMPLES / "behind-nginx" / file).read_bytes())
    (page / "client").symlink_to(_CLIENT)
    site = (_EXAMPLES / "behind-nginx" / "site.conf").read_text(encoding="utf-8")
    for written, here in (
        ("127.0.0.1:8000", f"127.0.0.1:{jeton_port}"),
        ("127.0.0.1:3000", f"127.0.0.1:{api_port}"),
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("server_name app.example.test", "server_name shop.example.test"),
        ("/etc/nginx/app.pem", str(certificate)),
        ("/srv/behind-nginx", str(page)),
    ):
        assert written in site
        site = site.replace(written, here)
    return site
