"""OpenAPI 3.1: the description is true. A generator drives a live server by it; every answer must be as described."""

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

from jeton.bootstrap.server import assemble
from jeton.crypto.credentials import digest_secret, generate_sub
from jeton.grants import GRANTS
from jeton.http.openapi import openapi_document
from jeton.oauth.clients import Client
from jeton.oauth.metadata import SECRET_METHODS
from jeton.oauth.users import User
from jeton.storage.clients import insert_client
from jeton.storage.users import insert_user
from support.in_process_server import ISSUER, PASSWORD, SESSIONS, Running, settings_for

SECRET = "jcs_for_the_generator_only"

_LEFT_OUT = [
    # A well-formed request with a made-up password or token is refused, and rightly so.
    schemathesis.checks.positive_data_acceptance,
]


def _registered(url: str) -> Any:
    server = assemble(settings_for(url))
    parts = server.parts
    client = Client(
        "fuzz",
        public=False,
        created_at=0,
        introspect=True,
        auth_methods=frozenset(SECRET_METHODS),
        grant_types=SESSIONS | {"client_credentials"},
        scope=frozenset({"account", "read"}),
        secret_digest=digest_secret(SECRET),
    )
    user = User(generate_sub(), "alice", None, (), False, 0, 1, parts.passwords.hash(PASSWORD))
    with parts.database.write() as connection:
        insert_client(connection, client)
        insert_user(connection, user)
    return server.app


@pytest.fixture(scope="module")
def live_url(sqlite_template_of_today: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server on a free port of this machine."""
    file = tmp_path_factory.mktemp("openapi") / "jeton.db"
    shutil.copy(sqlite_template_of_today, file)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(_registered(f"sqlite:///{file}"), log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=30)


described = schemathesis.openapi.from_dict(openapi_document("http://127.0.0.1:8000", "test", GRANTS))


@schemathesis.auth().apply_to(path_regex="^/oauth/")
class ClientAuthentication:
    """The generator may leave it away, and must then be refused."""

    def get(self, case: "schemathesis.Case[Any]", context: schemathesis.AuthContext) -> tuple[str, str]:
        return ("fuzz", SECRET)

    def set(self, case: "schemathesis.Case[Any]", data: tuple[str, str], context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = "Basic " + b64encode(":".join(data).encode()).decode()


@schemathesis.auth().apply_to(path_regex="^/account")
class AccessToken:
    """Some requests are generated before there is a server: the token is put in when they are sent."""

    def get(self, case: "schemathesis.Case[Any]", context: schemathesis.AuthContext) -> str:
        return "Bearer to-be-put-in"

    def set(self, case: "schemathesis.Case[Any]", data: str, context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = data


def put_in_access_token(case: "schemathesis.Case[Any]", url: str) -> None:
    """That of a new session: many requests end theirs."""
    if case.headers.get("Authorization") == "Bearer to-be-put-in":
        form = {"grant_type": "password", "username": "alice", "password": PASSWORD}
        answer = httpx2.post(f"{url}/oauth/token", data=form, auth=("fuzz", SECRET))
        case.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


@described.parametrize()
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case: "schemathesis.Case[Any]", live_url: str) -> None:
    put_in_access_token(case, live_url)
    case.call_and_validate(base_url=live_url, excluded_checks=_LEFT_OUT)


async def test_the_description_is_served(jeton: Running) -> None:
    response = await jeton.http.get("/openapi.json")

    assert response.json() == openapi_document(ISSUER, version("jeton"), GRANTS)
