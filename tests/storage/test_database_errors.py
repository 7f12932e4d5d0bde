"""Database errors as one sentence with advice, caused in a real PostgreSQL where possible."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.database_errors import describe_database_error
from jeton.storage.database_url import parse_database_url
from jeton.storage.migrate import SchemaError, bring_up_to_date, migrate
from support.in_process_server import running, settings_for
from support.server_processes import wait_until

AT = 'connection failed: connection to server at "192.0.2.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        (AT + 'FATAL:  password authentication failed for user "u"', "set user and password"),
        (AT + "fe_sendauth: no password supplied", "set user and password"),
        (AT + 'FATAL:  no pg_hba.conf entry for host "h", user "u", database "n", no encryption', "sslmode=require"),
        (AT + "FATAL:  the database system is starting up", "try again in a moment"),
        (AT + "server does not support SSL, but SSL was required", "set sslmode"),
        (AT + 'SSL error: certificate verify failed', "set sslmode and sslrootcert"),
        (AT + "FATAL:  sorry, too many clients already", "max_connections"),
        (AT + "session is read-only", "name the primary"),
        ("connection timeout expired", "is PostgreSQL running there"),
        ("cannot execute INSERT in a read-only transaction", "name the primary"),
        ("database or disk is full", "free some space"),
        ("attempt to write a readonly database", "write the file and its folder"),
    ],
)  # fmt: skip
def test_common_errors_come_with_advice(said: str, advice: str) -> None:
    error = OperationalError("SELECT 1", {}, psycopg.OperationalError(said + "\nDETAIL: Key (name)=(secret)"))

    sentence = describe_database_error(error, parse_database_url("postgresql://u@h/n"))

    assert sentence.startswith(said.removeprefix("connection failed: ") + ": ")
    assert advice in sentence
    assert "secret" not in sentence


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("postgresql://jeton@/nowhere?host={folder}", 'database "nowhere" does not exist: create it with createdb'),
        ("postgresql://nobody@/postgres?host={folder}", 'role "nobody" does not exist: create it'),
        ("postgresql:///n?host=/nowhere", "No such file or directory: is PostgreSQL running there"),
        ("postgresql://127.0.0.1:9/n", "Connection refused: is PostgreSQL running there"),
        ("postgresql://nowhere.invalid/n", "set the host in database.url"),
        ("postgresql:///n?host=/nowhere,/elsewhere", "is PostgreSQL running there"),
    ],
)
def test_an_unreachable_database_is_reported_with_advice(postgresql_server: str, url: str, advice: str) -> None:
    database = Database(url.format(folder=postgresql_server.partition("host=")[2]))

    assert advice in refusal(database, lambda it: it.read().__enter__())


def refusal(database: Database, use: Callable[[Database], object]) -> str:
    """Return the one line that says why the database cannot be used."""
    with pytest.raises((StorageUnavailableError, SchemaError)) as unavailable:
        use(database)
    database.close()
    assert len(str(unavailable.value).splitlines()) == 1
    return str(unavailable.value)


@pytest.fixture
def owner(empty_postgresql_url: str) -> Iterator["psycopg.Connection[Any]"]:
    """A connection of the owner of an empty database."""
    with psycopg.connect(empty_postgresql_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def role(owner: "psycopg.Connection[Any]") -> Iterator[str]:
    """A role that owns nothing."""
    name = f"role_{uuid4().hex}"
    owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'right'".encode())
    yield name
    owner.execute(f"DROP OWNED BY {name}; DROP ROLE {name}".encode())


@pytest.fixture
def role_url(empty_postgresql_url: str, role: str) -> str:
    return empty_postgresql_url.replace("//jeton@", f"//{role}@")


def execute_advised_grant(owner: "psycopg.Connection[Any]", sentence: str) -> None:
    (grant,) = re.findall(r"GRANT .*", sentence)
    owner.execute(grant)


def test_a_role_that_may_not_create_tables_gets_a_grant_that_helps(
    owner: "psycopg.Connection[Any]", role_url: str
) -> None:
    sentence = refusal(Database(role_url), migrate)

    assert "permission denied" in sentence
    execute_advised_grant(owner, sentence)
    database = Database(role_url)
    migrate(database)
    database.close()


async def test_a_role_that_only_serves_needs_rights_on_the_tables_and_none_to_create(
    owner: "psycopg.Connection[Any]", empty_postgresql_url: str, role_url: str
) -> None:
    of_owner = Database(empty_postgresql_url)
    migrate(of_owner)
    of_owner.close()
    assert "permission denied" in refusal(Database(role_url), migrate)

    execute_advised_grant(owner, refusal(Database(role_url), bring_up_to_date))

    async with running(settings_for(role_url)) as server:
        app, _ = server.add_client(), server.add_user()
        tokens = await server.log_in(app)
        tokens = await server.refreshed(app, tokens["refresh_token"])
        assert (await server.revoke(app, tokens["refresh_token"])).status_code == 200
        assert (await server.http.get("/readyz")).status_code == 200


def test_a_role_that_may_not_use_the_schema_gets_advice(owner: "psycopg.Connection[Any]", role_url: str) -> None:
    owner.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")

    assert "GRANT USAGE ON SCHEMA public" in refusal(Database(role_url), bring_up_to_date)


def test_a_wrong_password_is_reported_and_not_repeated(postgresql_server: str, role: str) -> None:
    configuration = Path(postgresql_server.partition("host=")[2]) / "data" / "pg_hba.conf"
    before = configuration.read_text(encoding="utf-8")
    configuration.write_text(f"local all {role} scram-sha-256\n" + before, encoding="utf-8")
    with psycopg.connect(postgresql_server) as connection:
        connection.execute("SELECT pg_reload_conf()")

    def password_is_required() -> bool:
        try:
            psycopg.connect(postgresql_server, user=role).close()
        except psycopg.OperationalError:
            return True
        return False

    wait_until(password_is_required, "the password is required", 10)
    database = Database(postgresql_server.replace("//jeton@", f"//{role}:wrong-password@"))

    sentence = refusal(database, lambda it: it.read().__enter__())

    assert "set user and password" in sentence
    assert "wrong-password" not in sentence
