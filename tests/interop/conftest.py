"""A running server and its accounts, created as an operator creates them."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from interop.live_server import AUDIENCE, CALLBACK, Live
from support.cli_runner import CommandLine
from support.client_keys import ClientKeyPair
from support.person import Person
from support.protected_resource import ProtectedResource
from support.server_processes import ServerProcess, environment, free_port

_SCOPE: Final = ("--scope", "read", "--scope", "write")
_SESSIONS: Final = ("--grant", "password", "--grant", "refresh_token", *_SCOPE)
_OPENID: Final = ("--scope", "openid", "--scope", "profile", "--refresh-token", "always")
_CODES: Final = ("--grant", "authorization_code", "--redirect-uri", CALLBACK, *_OPENID)
# Native apps that receive codes on any free port (RFC 8252 section 7.3).
_NATIVE: Final = ("--public", "--application-type", "native", "--grant", "authorization_code", *_SCOPE)
_LOOPBACK: Final = ("--redirect-uri", "http://localhost/callback", "--redirect-uri", "http://127.0.0.1/callback")


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite only, because these tests are about the protocol."""
    return sqlite_url


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, current_sqlite_template: Path) -> Iterator[Live]:
    with live_server(tmp_path_factory.mktemp("live"), current_sqlite_template) as started:
        yield started


@pytest.fixture(scope="session")
def live_with_es256(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server whose access tokens have ES256, and its ID tokens RS256."""
    with live_server(tmp_path_factory.mktemp("live_with_es256"), None, KEYS__ALGORITHM="ES256") as started:
        yield started


@pytest.fixture(scope="session")
def live_with_nonces(tmp_path_factory: pytest.TempPathFactory, current_sqlite_template: Path) -> Iterator[Live]:
    """A server that demands nonces in DPoP proofs."""
    folder = tmp_path_factory.mktemp("live_with_nonces")
    with live_server(folder, current_sqlite_template, TOKENS__REQUIRE_DPOP_NONCE="true") as started:
        yield started


@contextmanager
def live_server(folder: Path, template: Path | None, **variables: str) -> Iterator[Live]:
    """Run a server with these clients: `web-basic`, `web-post` and `web-key`, `spa`, `docs`, `mcp` and `orders-api`.

    The first three differ in how they authenticate. The template is that of its database; by default, none.
    """
    if template is not None:
        shutil.copy(template, folder / "jeton.db")
    server = ServerProcess(free_port(), folder, environment(f"sqlite:///{folder}/jeton.db", **variables))
    run = CommandLine(server.environment).json
    user = run("user", "add", "alice", "--role", "clerk", "--generate-password")
    own = ("--grant", "client_credentials", "--audience", AUDIENCE)
    added = [
        run("client", "add", "web-basic", *_SESSIONS, *_CODES, *own, "--auth-method", "client_secret_basic"),
        run("client", "add", "web-post", *_SESSIONS, *_CODES, *own, "--auth-method", "client_secret_post"),
        run("client", "add", "orders-api", "--introspect", "--audience", AUDIENCE),
    ]
    run("client", "add", "spa", "--public", *_SESSIONS, *_CODES, "--audience", AUDIENCE)
    key = ClientKeyPair()
    (folder / "jwks.json").write_text(json.dumps(key.jwks))
    by_key = ("--auth-method", "private_key_jwt", "--jwks", str(folder / "jwks.json"), "--require-par")
    run("client", "add", "web-key", *_SESSIONS, *_CODES, *own, *by_key)
    origin = f"http://127.0.0.1:{free_port()}"
    pages = ("--origin", origin, "--redirect-uri", f"{origin}/oidc-client-ts", "--redirect-uri", f"{origin}/appauth")
    left = ("--post-logout-redirect-uri", f"{origin}/signed-out")
    docs = ("--application-type", "spa", "--grant", "password", "--grant", "authorization_code", *_OPENID)
    run("client", "add", "docs", "--public", *docs, "--grant", "refresh_token", "--scope", "account", *pages, *left)
    resource = ProtectedResource(free_port(), server.url, ("read", "write"))
    run("resource", "add", resource.url, "--scope", "read", "--scope", "write")
    run("client", "add", "mcp", *_NATIVE, *_LOOPBACK, "--grant", "refresh_token", "--resource", resource.url)
    person = Person(server.url, "alice", user["password"])
    with server.serving(), resource.serving(), person.serving() as person_url:
        secrets = {client["client_id"]: client["client_secret"] for client in added}
        yield Live(server, user["sub"], user["password"], secrets, origin, resource, person_url, key.private)
