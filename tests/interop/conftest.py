"""One live server and its accounts, which are made as an operator makes them."""

from collections.abc import Iterator
from typing import Final

import pytest

from interop.live_server import AUDIENCE, Live
from support.cli_runner import CommandLine
from support.server_processes import ServerProcess, environment, free_port

_SESSIONS: Final = ("--grant", "password", "--grant", "refresh_token", "--scope", "read", "--scope", "write")


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Clients: `web-basic` and `web-post` (each by its own authentication method), `spa`, `docs` and `orders-api`."""
    folder = tmp_path_factory.mktemp("live")
    server = ServerProcess(free_port(), folder, environment(f"sqlite:///{folder}/jeton.db"))
    run = CommandLine(server.environment).json
    user = run("user", "add", "alice", "--role", "clerk", "--generate-password")
    own = ("--grant", "client_credentials", "--audience", AUDIENCE)
    added = [
        run("client", "add", "web-basic", *_SESSIONS, *own, "--auth-method", "client_secret_basic"),
        run("client", "add", "web-post", *_SESSIONS, *own, "--auth-method", "client_secret_post"),
        run("client", "add", "orders-api", "--introspect", "--audience", AUDIENCE),
    ]
    run("client", "add", "spa", "--public", *_SESSIONS, "--audience", AUDIENCE)
    origin = f"http://127.0.0.1:{free_port()}"
    run("client", "add", "docs", "--public", "--grant", "password", "--scope", "account", "--origin", origin)
    with server.serving():
        secrets = {client["client_id"]: client["client_secret"] for client in added}
        yield Live(server, user["sub"], user["password"], secrets, origin)
