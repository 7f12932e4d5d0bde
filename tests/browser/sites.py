"""Sites other than Jeton: an app that sends people to the server, and hostile pages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlencode

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
from support.remote_server import RemoteRequest, json_response, response, threaded_server

USERNAME: Final = "alice"
_HOME: Final = "<h1>At home</h1>"


@dataclass
class Site:
    """One listener that browsers treat as two sites: `http://127.0.0.1` and `http://localhost`.

    The callback of the first redirects to the second. `received` holds the parameters that the callback got.
    """

    host: str = "127.0.0.1"
    received: list[dict[str, str]] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)
    port: int = field(init=False)

    @contextmanager
    def serving(self) -> Iterator[Self]:
        with threaded_server(self._respond, host=self.host) as server:
            self.port = server.port
            yield self

    @property
    def callback(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/callback"

    @property
    def document(self) -> dict[str, Any]:
        """The metadata document of an unregistered app."""
        client_id = self.callback.replace("/callback", "/client.json")
        return document(client_id, client_name="A name of its own choice", redirect_uris=[self.callback])

    @property
    def other(self) -> str:
        return f"http://localhost:{self.port}"

    async def _respond(self, request: RemoteRequest) -> bytes:
        if request.line.startswith("POST "):
            return self._receive(request.body.decode())
        if request.url.path == "/callback":
            return self._receive(request.url.query)
        if request.url.path == "/client.json":
            return json_response(self.document)
        return _page(self.pages.get(request.url.path, _HOME))

    def _receive(self, form: str) -> bytes:
        self.received.append(dict(parse_qsl(form)))
        if "form_post" in self.received[-1].get("state", ""):
            return _page(_HOME)
        return response("303 See Other", b"", f"Location: {self.other}/home")


def _page(body: str) -> bytes:
    content = f"<!doctype html><title>app</title>{body}"
    return response("200 OK", content.encode(), "Content-Type: text/html")


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
