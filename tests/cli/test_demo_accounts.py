"""`jeton serve --demo`: accounts are created only if no other machine can use them; else the server says why not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jeton.bootstrap.server import assemble
from jeton.cli.demo import create_demo_accounts
from jeton.config import Settings
from jeton.oauth.clients import Client
from jeton.storage.clients import insert_client, list_clients
from jeton.storage.users import list_users
from support.in_process_server import settings_for
from support.server_processes import server_process


def printed(settings: Settings) -> str:
    """Return what --demo prints at the start of a server with these settings."""
    server = assemble(settings)
    try:
        parts = server.parts
        return "\n".join(create_demo_accounts(parts.database, parts.clock.now(), parts.passwords, settings))
    finally:
        server.close()


def names(settings: Settings) -> set[str]:
    server = assemble(settings)
    with server.parts.database.read() as connection:
        found = {it.client_id for it in list_clients(connection)} | {it.username for it in list_users(connection)}
    server.close()
    return found


DEMO = {"demo", "demo-app", "demo-spa", "demo-api"}


@pytest.mark.requirement("N16")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.2"])
@pytest.mark.parametrize("issuer", ["", "http://localhost:9000/id", "http://[::1]:8000"])
def test_demo_accounts_are_created_once_on_loopback(sqlite_url: str, host: str, issuer: str) -> None:
    settings = settings_for(sqlite_url, SERVER__HOST=host, SERVER__ISSUER=issuer or "http://127.0.0.1:8000")

    assert "shown this once" in printed(settings)
    assert names(settings) == DEMO
    assert "have existed since the first start" in printed(settings)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"SERVER__HOST": "0.0.0.0"}, "server.host"),
        ({"SERVER__HOST": "::"}, "server.host"),
        ({"SERVER__HOST": ""}, "server.host"),
        ({"SERVER__ISSUER": "https://id.example"}, "server.issuer"),
        ({"SERVER__ISSUER": "https://127.0.0.1.example"}, "server.issuer"),
        ({"SERVER__ISSUER": "https://localhost.example"}, "server.issuer"),
        ({"SERVER__TRUSTED_PROXIES": "127.0.0.1"}, "server.trusted_proxies"),
    ],
)
def test_demo_accounts_are_not_created_if_other_machines_have_access(
    sqlite_url: str, variables: dict[str, str], reason: str
) -> None:
    settings = settings_for(sqlite_url, **variables)

    assert f"created no accounts: {reason}" in printed(settings)
    assert names(settings) == set()


def test_demo_accounts_are_not_created_on_postgresql(postgresql_url: str) -> None:
    settings = settings_for(postgresql_url)

    assert "created no accounts: the database is not SQLite" in printed(settings)
    assert names(settings) == set()


@pytest.fixture
def with_a_client(sqlite_url: str) -> Iterator[Settings]:
    settings = settings_for(sqlite_url)
    server = assemble(settings)
    with server.parts.database.write() as connection:
        insert_client(connection, Client("shop", public=True, created_at=1))
    yield settings
    server.close()


def test_demo_accounts_are_not_created_beside_other_accounts(with_a_client: Settings) -> None:
    assert "already contains others" in printed(with_a_client)
    assert names(with_a_client) == {"shop"}


@pytest.mark.parametrize("variables", [{"SERVER__WORKERS": "2"}, {"SERVER__ISSUER": "https://id.example"}])
def test_server_starts_with_or_without_demo_accounts(
    sqlite_template_of_today: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    database = tmp_path / "jeton.db"
    database.write_bytes(sqlite_template_of_today.read_bytes())

    with server_process(tmp_path, f"sqlite:///{database}", "--demo", begin_only=False, **variables) as server:
        assert server.log.count("shown this once") == (0 if "SERVER__ISSUER" in variables else 1)
        assert server.log.count("--demo created no accounts") == (1 if "SERVER__ISSUER" in variables else 0)
