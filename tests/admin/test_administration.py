"""Administration without a command line: functions over a connection, which return values or raise plain errors."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection

from jeton.admin import clients, sessions, users
from jeton.admin.errors import AdminError, AlreadyExistsError, NotFoundError
from jeton.admin.user_import import import_users
from jeton.crypto.credentials import digest_secret
from jeton.storage.clients import insert_client
from jeton.storage.database import Database
from support.builders import NOW, client


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.write() as connection:
        yield connection


def test_registered_client_has_the_returned_secret_and_a_change_merges_lifetimes(connection: Connection) -> None:
    client, secret = clients.register(
        connection, NOW, "web", {"scope": frozenset({"read"}), "lifetimes": {"access_seconds": 60}}
    )
    assert secret is not None
    assert client.secret_digest == digest_secret(secret)
    assert clients.find(connection, "web") == client

    changed = clients.change(
        connection, NOW, "web", {"scope": frozenset({"write"}), "lifetimes": {"retry_grace_seconds": 5}}
    )

    assert clients.find(connection, "web") == changed
    assert changed.scope == frozenset({"write"})
    assert changed.lifetimes == {"access_seconds": 60, "retry_grace_seconds": 5}


def test_client_cannot_change_between_public_and_confidential(connection: Connection) -> None:
    for public in (True, False):
        clients.register(connection, NOW, str(public), {"public": public})
        with pytest.raises(AdminError, match="cannot change"):
            clients.change(connection, NOW, str(public), {"public": not public})


@pytest.mark.requirement("DR13")
def test_ceiling_alone_decides_what_a_client_that_registered_itself_may_have(connection: Connection) -> None:
    insert_client(connection, client("dcr_1", registration="dynamic"))

    for changes, cleared in (({"scope": frozenset({"read"})}, ()), ({"audience": ("a",)}, ()), ({}, ("resources",))):
        with pytest.raises(AdminError, match="registered itself"):
            clients.change(connection, NOW, "dcr_1", changes, cleared=cleared)  # type: ignore[arg-type]
    assert clients.change(connection, NOW, "dcr_1", {"session_binding": "strict"}).session_binding == "strict"


def test_existing_client_and_user_are_not_registered_again(connection: Connection) -> None:
    clients.register(connection, NOW, "web", {})
    users.register(connection, NOW, "alice", None, (), "hash")

    with pytest.raises(AlreadyExistsError):
        clients.register(connection, NOW, "web", {})
    with pytest.raises(AlreadyExistsError):
        users.register(connection, NOW, "ALICE", None, (), "hash")


def test_unknown_object_is_named_by_its_kind(connection: Connection) -> None:
    operations: list[tuple[str, Callable[[], Any]]] = [
        ("client", lambda: clients.disable(connection, NOW, "unknown")),
        ("user", lambda: users.set_password(connection, NOW, "unknown", "hash")),
        ("session", lambda: sessions.revoke(connection, NOW, "unknown")),
        ("user", lambda: sessions.list_live(connection, NOW, username="unknown")),
        ("client", lambda: sessions.revoke_of_client(connection, NOW, "unknown")),
    ]
    for kind, operation in operations:
        with pytest.raises(NotFoundError, match=f"there is no {kind} unknown") as raised:
            operation()
        assert raised.value.kind == kind


def test_import_reports_rejected_lines(database: Database) -> None:
    report = import_users(database, NOW, [b'{"username": "alice"}', b'{"username": "ALICE"}', b"{}"])

    assert report.imported == 1
    assert [(it.line, it.username) for it in report.rejected] == [(2, "ALICE"), (3, None)]
