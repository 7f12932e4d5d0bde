"""A `sub` or `client_id` is given out once, to a user or to a client (OpenID Connect Core 2, RFC 9700 4.15)."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

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
from support.in_process_server import MASTER_KEY, Running, settings_for
from support.lock_contention import OnPostgresql
from support.server_processes import wait_until

Add = Callable[[Connection, str], None]
Delete = Callable[[Connection, str], None]


def add_a_user(connection: Connection, sub: str) -> None:
    number = connection.scalar(select(func.count()).select_from(issued_identifiers))
    insert_user(connection, User(sub, f"user{number}", None, (), False, 1, 1))


def add_a_client(connection: Connection, client_id: str) -> None:
    insert_client(connection, Client(client_id, True, 1))


each_first = pytest.mark.parametrize(
    ("add_first", "delete_first"), [(add_a_user, delete_user), (add_a_client, delete_client)], ids=["user", "client"]
)
each_second = pytest.mark.parametrize("add_second", [add_a_user, add_a_client], ids=["user", "client"])


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@each_first
@each_second
@pytest.mark.requirement("G03")
@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "alive"])
def test_an_identifier_is_never_given_out_again(
    database: Database, add_first: Add, delete_first: Delete, add_second: Add, deleted: bool
) -> None:
    with database.write() as connection:
        add_first(connection, "1042")
    if deleted:
        with database.write() as connection:
            delete_first(connection, "1042")

    with pytest.raises(IdentifierUsedError, match="1042 belongs"), database.write() as connection:
        add_second(connection, "1042")

    with database.write() as connection:
        add_second(connection, "1043")


@each_second
def test_the_url_of_a_metadata_document_comes_back_but_not_as_somebody_who_was_deleted(
    database: Database, add_second: Add
) -> None:
    url = "https://app.example/client.json"
    with database.write() as connection:
        add_a_client(connection, url)
        delete_client(connection, url)
        add_second(connection, url)

    with pytest.raises(IdentifierUsedError), database.write() as connection:
        add_a_client(connection, url)


def test_a_user_who_was_not_added_after_all_takes_nothing(database: Database) -> None:
    def add_and_fail() -> None:
        with database.write() as connection:
            add_a_user(connection, "1042")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()

    with database.write() as connection:
        add_a_client(connection, "1042")


@each_first
@each_second
@pytest.mark.postgresql
def test_of_two_that_are_added_at_once_one_gets_it(
    postgresql_url: str, add_first: Add, delete_first: Delete, add_second: Add
) -> None:
    first, second, third = Database(postgresql_url), Database(postgresql_url), OnPostgresql(postgresql_url)

    def add() -> None:
        with second.write() as connection:
            add_second(connection, "1042")

    with ThreadPoolExecutor(1) as threads:
        with first.write() as connection:
            add_first(connection, "1042")
            waiting = threads.submit(add)
            wait_until(lambda: third.waiting() == 1, "the second waiting for the first", 10)
        with pytest.raises(IdentifierUsedError):
            waiting.result()
    for it in (first, second, third):
        it.close()


async def test_retention_keeps_what_was_given_out(jeton: Running) -> None:
    database = jeton.database
    user = jeton.add_user()
    with database.write() as connection:
        delete_user(connection, user.sub)
    jeton.clock.advance(10 * 366 * 86400)

    jeton.maintenance.purge_expired()

    with pytest.raises(IdentifierUsedError), database.write() as connection:
        insert_user(connection, replace(user, username="bob"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_demo_accounts_that_were_deleted_do_not_come_back_and_stop_no_start(
    jeton: Running, database_url: str
) -> None:
    services, settings = jeton.server.parts, settings_for(database_url)
    list(create_demo_accounts(services.database, services.clock.now(), services.passwords, settings))
    with services.database.write() as connection:
        for client in list_clients(connection):
            delete_client(connection, client.client_id)
        for user in list_users(connection):
            delete_user(connection, user.sub)

    assert "have existed since the first start" in "".join(
        create_demo_accounts(services.database, services.clock.now(), services.passwords, settings)
    )
    with services.database.read() as connection:
        assert (list_clients(connection), list_users(connection)) == ([], [])


@pytest.mark.requirement("G03")
def test_commands_refuse_it_in_a_sentence(database_url: str) -> None:
    cli = CommandLine(
        {
            "JETON_DATABASE__URL": database_url,
            "JETON_SECRETS__MASTER_KEY": MASTER_KEY,
            "JETON_PASSWORDS__MEMORY_KIB": "8",
        }
    )
    client = ("client", "add", "web", "--grant", "client_credentials", "--scope", "read")
    cli.text(*client)
    cli.text("client", "delete", "web")
    sub = cli.json("user", "add", "alice", "--generate-password")["sub"]
    cli.text("user", "delete", "alice")

    assert "never given out again" in cli.refused(*client)
    for used in ("web", sub):
        report = cli.run("user", "import", "-", "--json", stdin=json.dumps({"username": "bob", "sub": used}))
        assert [it["reason"] for it in json.loads(report.stdout)["refused"]] == [
            "this sub belonged to a user or client before"
        ]
