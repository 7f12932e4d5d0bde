"""A `sub` or `client_id` is given out once, to a user or to a client (OpenID Connect Core 2, RFC 9700 4.15)."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, func, select

from jeton.cli.demo import create_demo_accounts
from jeton.oauth.clients import Client
from jeton.oauth.users import User
from jeton.storage.clients import delete_client, insert_client, list_clients
from jeton.storage.database import Database
from jeton.storage.identifiers import IdentifierUsedError
from jeton.storage.tables import issued_identifiers
from jeton.storage.users import delete_user, insert_user, list_users
from support.cli_runner import CommandLine
from support.in_process_server import Running, settings_for
from support.lock_contention import PostgresqlContention
from support.server_processes import environment, wait_until

Write = Callable[[Connection, str], None]
METADATA_DOCUMENT = "https://app.example/client.json"

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def add_user(connection: Connection, sub: str) -> None:
    number = connection.scalar(select(func.count()).select_from(issued_identifiers))
    insert_user(connection, User(sub, f"user{number}", None, (), False, 1, 1))


def add_client(connection: Connection, client_id: str) -> None:
    insert_client(connection, Client(client_id, True, 1))


each_kind = pytest.mark.parametrize(("add", "delete"), [(add_user, delete_user), (add_client, delete_client)])
each_other = pytest.mark.parametrize("add_other", [add_user, add_client])


@each_kind
@each_other
@pytest.mark.requirement("G03")
@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "alive"])
def test_an_identifier_is_never_given_out_again(
    database: Database, add: Write, delete: Write, add_other: Write, deleted: bool
) -> None:
    with database.write() as connection:
        add(connection, "1042")
    if deleted:
        with database.write() as connection:
            delete(connection, "1042")

    with pytest.raises(IdentifierUsedError, match="1042 belongs"), database.write() as connection:
        add_other(connection, "1042")

    with database.write() as connection:
        add_other(connection, "1043")


@each_other
def test_the_url_of_a_deleted_metadata_document_may_be_used_again_unless_it_is_taken(
    database: Database, add_other: Write
) -> None:
    with database.write() as connection:
        add_client(connection, METADATA_DOCUMENT)
        delete_client(connection, METADATA_DOCUMENT)
        add_other(connection, METADATA_DOCUMENT)

    with pytest.raises(IdentifierUsedError), database.write() as connection:
        add_client(connection, METADATA_DOCUMENT)


@each_kind
@each_other
@pytest.mark.postgresql
def test_of_two_that_are_added_at_once_one_gets_it(
    postgresql_url: str, locks: PostgresqlContention, add: Write, delete: Write, add_other: Write
) -> None:
    first, second = Database(postgresql_url), Database(postgresql_url)

    def add_second() -> None:
        with second.write() as connection:
            add_other(connection, "1042")

    with ThreadPoolExecutor(1) as threads:
        with first.write() as connection:
            add(connection, "1042")
            waiting = threads.submit(add_second)
            wait_until(lambda: locks.waiting_connections() == 1, "the second waiting for the first", 10)
        with pytest.raises(IdentifierUsedError):
            waiting.result()
    first.close()
    second.close()


@on_sqlite
async def test_demo_accounts_that_were_deleted_do_not_come_back(jeton: Running, database_url: str) -> None:
    arguments = (jeton.database, jeton.clock.now(), jeton.passwords, settings_for(database_url))
    list(create_demo_accounts(*arguments))
    with jeton.database.write() as connection:
        for client in list_clients(connection):
            delete_client(connection, client.client_id)
        for user in list_users(connection):
            delete_user(connection, user.sub)

    assert "have existed since the first start" in "".join(create_demo_accounts(*arguments))
    with jeton.database.read() as connection:
        assert (list_clients(connection), list_users(connection)) == ([], [])


@on_sqlite
@pytest.mark.requirement("G03")
def test_commands_refuse_a_used_identifier_in_a_sentence(database_url: str) -> None:
    cli = CommandLine(environment(database_url))
    client = ("client", "add", "web", "--grant", "client_credentials", "--scope", "read")
    cli.text(*client)
    cli.text("client", "delete", "web")
    sub = cli.json("user", "add", "alice", "--generate-password")["sub"]
    cli.text("user", "delete", "alice")

    assert "never given out again" in cli.refused(*client)
    for used in ("web", sub):
        report = cli.run("user", "import", "-", "--json", stdin=json.dumps({"username": "bob", "sub": used}))
        (refused,) = json.loads(report.stdout)["refused"]
        assert "belonged to a user or client" in refused["reason"]
