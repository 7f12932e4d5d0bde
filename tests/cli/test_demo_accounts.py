"""`jeton serve --demo`: accounts are created only if no other machine can use them; else the server says why not."""

import pytest

from jeton.bootstrap.server import assemble
from jeton.cli.demo import create_demo_accounts, demo_app_url
from jeton.config.settings import Settings
from jeton.oauth.clients import Client
from jeton.storage.clients import insert_client, list_clients
from jeton.storage.users import list_users
from support.in_process_server import settings_for


def start(settings: Settings, *clients: str) -> tuple[str, set[str]]:
    """Return what --demo prints at the start of a server that has these clients, and the names in the database.

    The last line printed is the address of the demo app, if there is one.
    """
    server = assemble(settings)
    clock, database = server.parts.clock, server.parts.storage.database
    with database.write() as connection:
        for client_id in clients:
            insert_client(connection, Client(client_id, public=True, created_at=1))
    printed = "\n".join(create_demo_accounts(database, clock.now(), server.parts.logins.passwords, settings))
    printed += f"\n{demo_app_url(database, settings)}"
    with database.read() as connection:
        names = {it.client_id for it in list_clients(connection)} | {it.username for it in list_users(connection)}
    server.close()
    return printed, names


@pytest.mark.requirement("N16")
@pytest.mark.parametrize(
    ("host", "issuer"),
    [("127.0.0.1", "http://127.0.0.1:8000"), ("localhost", "http://localhost:9000/id"), ("::1", "http://[::1]:8000"),
     ("127.0.0.2", "http://127.0.0.1:8000")],
)  # fmt: skip
def test_demo_accounts_are_created_once_on_loopback(sqlite_url: str, host: str, issuer: str) -> None:
    settings = settings_for(sqlite_url, SERVER__HOST=host, SERVER__ISSUER=issuer)
    first, names = start(settings)
    second, names_after = start(settings)

    assert "shown this once" in first
    assert first.splitlines()[-1].startswith("http://127.0.0.1:")
    assert second.splitlines()[-1].startswith("http://127.0.0.1:")
    assert "have existed since the first start" in second
    assert "jcs_" not in second
    assert names == names_after == {"demo", "demo-app", "demo-spa", "demo-api"}


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"SERVER__HOST": "0.0.0.0"}, "server.host"),
        ({"SERVER__HOST": "::"}, "server.host"),
        ({"SERVER__ISSUER": "https://id.example"}, "server.issuer"),
        ({"SERVER__ISSUER": "https://127.0.0.1.example"}, "server.issuer"),
        ({"SERVER__ISSUER": "https://localhost.example"}, "server.issuer"),
        ({"SERVER__TRUSTED_PROXIES": "127.0.0.1"}, "server.trusted_proxies"),
        pytest.param({}, "the database is not SQLite", marks=pytest.mark.postgresql),
        ({}, "the database already contains others"),
    ],
)
def test_demo_accounts_are_not_created_if_other_machines_have_access_or_there_are_others(
    request: pytest.FixtureRequest, variables: dict[str, str], reason: str
) -> None:
    url: str = request.getfixturevalue("postgresql_url" if reason.endswith("SQLite") else "sqlite_url")
    others = {"shop"} if reason.endswith("others") else set[str]()
    printed, names = start(settings_for(url, **variables), *others)

    assert f"created no accounts: {reason}" in printed
    assert printed.endswith("\nNone")
    assert names == others
