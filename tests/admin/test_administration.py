"""Administration without a command line: functions over a connection, which return values or raise plain errors."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection

from jeton.admin import clients, sessions, users
from jeton.admin.errors import AdminError, NotFoundError
from jeton.storage.clients import insert_client
from jeton.storage.database import Database
from support.builders import NOW, client


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    database = Database(database_url)
    with database.write() as connection:
        yield connection
    database.close()


@pytest.mark.requirement("DR13")
def test_ceiling_alone_decides_what_a_client_that_registered_itself_may_have(connection: Connection) -> None:
    insert_client(connection, client("dcr_1", registration="dynamic"))

    for changes, cleared in (({"scope": frozenset({"read"})}, ()), ({"audience": ("a",)}, ()), ({}, ("resources",))):
        with pytest.raises(AdminError, match="registered itself"):
            clients.change(connection, NOW, "dcr_1", changes, cleared=cleared)  # type: ignore[arg-type]
    assert clients.change(connection, NOW, "dcr_1", {"session_binding": "strict"}).session_binding == "strict"


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
