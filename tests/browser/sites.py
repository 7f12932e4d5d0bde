"""Sites other than Jeton: an app that sends people to the server, and hostile pages."""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from jeton.crypto.credentials import generate_sub
from jeton.crypto.passwords import Passwords
from jeton.oauth.clients import Client
from jeton.oauth.users import User
from jeton.storage.clients import insert_client
from jeton.storage.database import Database
from jeton.storage.users import insert_user
from support.authorization_codes import CHALLENGE
from support.in_process_server import PASSWORD
from support.metadata_documents import document

USERNAME: Final = "alice"


class _Server(ThreadingHTTPServer):
    """A listener on an IPv4 or IPv6 address."""

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)


@dataclass
class Site:
    """One listener that browsers treat as two sites: `http://127.0.0.1` and `http://localhost`.

    The callback of the first redirects to the second. `received` holds the parameters that the callback got.
    """

    host: str = "127.0.0.1"
    received: list[dict[str, str]] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)
    _server: ThreadingHTTPServer = field(init=False, repr=False)

    def __enter__(self) -> Self:
        self._server = _Server((self.host, 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def callback(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self._server.server_port}/callback"

    @property
    def document(self) -> dict[str, Any]:
        """The metadata document of an unregistered app."""
        client_id = self.callback.replace("/callback", "/client.json")
        return document(client_id, client_name="A name of its own choice", redirect_uris=[self.callback])

    @property
    def other(self) -> str:
        return f"http://localhost:{self._server.server_port}"


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Suppress the log of requests."""

        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, urlsplit(self.path).query
            if path == "/callback":
                self._receive(query)
            elif path == "/client.json":
                self._send("application/json", json.dumps(site.document))
            else:
                self._show(site.pages.get(path, "<h1>At home</h1>"))

        def do_POST(self) -> None:
            self._receive(self.rfile.read(int(self.headers["content-length"])).decode())

        def _receive(self, form: str) -> None:
            site.received.append(dict(parse_qsl(form)))
            if "form_post" in site.received[-1].get("state", ""):
                self._show("<h1>At home</h1>")
                return
            self.send_response(303)
            self.send_header("location", f"{site.other}/home")
            self.end_headers()

        def _show(self, body: str) -> None:
            self._send("text/html", f"<!doctype html><title>app</title>{body}")

        def _send(self, media_type: str, body: str) -> None:
            self.send_response(200)
            self.send_header("content-type", media_type)
            self.end_headers()
            self.wfile.write(body.encode())

    return Handler


@dataclass(frozen=True)
class App:
    """An app that is registered at a server."""

    issuer: str
    client_id: str
    site: Site
    database_url: str

    def authorization_url(self, **more: Any) -> str:
        given = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.site.callback,
            "scope": "read openid profile",
            "state": "the state",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **more,
        }
        return f"{self.issuer}/oauth/authorize?{urlencode(given)}"

    @property
    def answer(self) -> dict[str, str]:
        """The parameters of the last redirect to the callback."""
        return self.site.received[-1]


def add_user(database_url: str) -> None:
    user = User(generate_sub(), USERNAME, None, (), False, 0, 1, Passwords(8, 1, 1).hash(PASSWORD))
    _write(database_url, lambda connection: insert_user(connection, user))


def add_app(database_url: str, issuer: str, site: Site, client_id: str = "photos") -> App:
    client = Client(
        client_id,
        public=True,
        created_at=0,
        name="Photo Album",
        grant_types=frozenset({"authorization_code", "refresh_token"}),
        scope=frozenset({"read", "openid", "profile"}),
        redirect_uris=frozenset({site.callback}),
    )
    _write(database_url, lambda connection: insert_client(connection, client))
    return App(issuer, client.client_id, site, database_url)


def _write(database_url: str, write: Callable[[Any], None]) -> None:
    database = Database(database_url)
    with database.write() as connection:
        write(connection)
    database.close()
