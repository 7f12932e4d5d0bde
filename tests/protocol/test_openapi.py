"""The OpenAPI 3.1 description is true: generated requests to a running server get only the answers it describes."""

import shutil
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings
from starlette.types import ASGIApp

from jeton.bootstrap.pages import build_pages, build_renderer
from jeton.bootstrap.server import assemble
from jeton.crypto.credentials import digest_secret
from jeton.grants import GRANTS
from jeton.http.openapi.document import openapi_document
from jeton.http.openapi.page_paths import page_paths
from jeton.http.page_router import PageRouter
from jeton.oauth.clients import SECRET_METHODS
from jeton.storage.clients import insert_client
from jeton.storage.users import insert_user
from support.builders import client, user
from support.in_process_server import ISSUER, PASSWORD, SESSIONS, Running, settings_for

pytest_plugins = ["schemathesis.pytest.plugin"]

SECRET = "jcs_for_the_generator_only"
PLACEHOLDER = "Bearer placeholder"
# A well-formed request with a made-up password or token is refused, and rightly so.
EXCLUDED = [schemathesis.checks.positive_data_acceptance]


def server_with_client_and_user(url: str) -> ASGIApp:
    server = assemble(settings_for(url, REGISTRATION__DYNAMIC="open", LIMITS__REGISTRATIONS_PER_ADDRESS="0"))
    registered = client(
        "fuzz",
        introspect=True,
        auth_methods=frozenset(SECRET_METHODS),
        grant_types=SESSIONS | {"client_credentials"},
        scope=frozenset({"account", "read"}),
        secret_digest=digest_secret(SECRET),
    )
    with server.parts.storage.database.write() as connection:
        insert_client(connection, registered)
        insert_user(connection, user(password_hash=server.parts.logins.passwords.hash(PASSWORD)))
    return server.app


@pytest.fixture(scope="module")
def live(current_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of a server that listens on a port."""
    file = shutil.copy(current_sqlite_template, tmp_path_factory.mktemp("openapi") / "jeton.db")
    listening = socket.create_server(("127.0.0.1", 0))
    app = server_with_client_and_user(f"sqlite:///{file}")
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    with httpx2.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as http:
        yield http
    server.should_exit = True
    thread.join(timeout=30)


described = schemathesis.openapi.from_dict(openapi_document("http://127.0.0.1:8000", "test", GRANTS, registration=True))


@schemathesis.auth().apply_to(path_regex="^/oauth/(?!register)")
class ClientAuthentication:
    """Client authentication. The generator may omit it; the request must then be refused."""

    def get(self, case: "schemathesis.Case[Any]", context: schemathesis.AuthContext) -> tuple[str, str]:
        return ("fuzz", SECRET)

    def set(self, case: "schemathesis.Case[Any]", data: tuple[str, str], context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = "Basic " + b64encode(":".join(data).encode()).decode()


@schemathesis.auth().apply_to(path_regex="^/account")
class AccessToken:
    """An access token that is added when a request is sent, because some are generated before the server starts."""

    def get(self, case: "schemathesis.Case[Any]", context: schemathesis.AuthContext) -> str:
        return PLACEHOLDER

    def set(self, case: "schemathesis.Case[Any]", data: str, context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = data


# Besides these, the generator tries the limits of every parameter of each operation, and what lies beyond.
@described.parametrize()
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_response_matches_its_description(case: "schemathesis.Case[Any]", live: httpx2.Client) -> None:
    if case.headers.get("Authorization") == PLACEHOLDER:
        # A new session for each request, because many requests end theirs.
        form = {"grant_type": "password", "username": "alice", "password": PASSWORD}
        answer = live.post("/oauth/token", data=form, auth=("fuzz", SECRET))
        case.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    case.call_and_validate(base_url=str(live.base_url).rstrip("/"), excluded_checks=EXCLUDED)


async def test_every_page_is_described_with_its_methods(jeton: Running) -> None:
    parts = jeton.server.parts
    settings = settings_for(jeton.database.url.render_as_string(hide_password=False))
    built = build_pages(settings, parts, build_renderer(settings))
    pages = {
        path: {it.lower() for it in page.endpoints} for path, page in built.items() if isinstance(page, PageRouter)
    }

    assert {path: set(it) for path, it in page_paths().items()} == pages


async def test_description_is_served(jeton: Running) -> None:
    response = await jeton.http.get("/openapi.json")

    assert response.json() == openapi_document(ISSUER, version("jeton"), GRANTS)
