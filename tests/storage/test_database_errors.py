"""What a database says, as one sentence that says what to do; PostgreSQL itself is asked wherever it can be."""

import re
from collections.abc import Iterator
from pathlib import Path
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
def test_what_is_often_wrong_is_told_with_advice(said: str, advice: str) -> None:
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
def test_a_database_that_cannot_be_reached(postgresql_server: str, url: str, advice: str) -> None:
    database = Database(url.format(folder=postgresql_server.partition("host=")[2]))

    with pytest.raises(StorageUnavailableError, match=advice) as unavailable:
        database.read().__enter__()

    assert len(str(unavailable.value).splitlines()) == 1
    database.close()


@pytest.fixture
def role(postgresql_server: str, empty_postgresql_url: str) -> Iterator[str]:
    """A role that owns nothing."""
    name = f"role_{uuid4().hex}"
    with psycopg.connect(empty_postgresql_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'right'")
        yield name
        connection.execute(f"DROP OWNED BY {name}")
        connection.execute(f"DROP ROLE {name}")


def as_role(url: str, role: str) -> Database:
    return Database(url.replace("//jeton@", f"//{role}@"))


@pytest.mark.parametrize("migrated", [False, True], ids=["empty", "migrated by another role"])
def test_a_role_that_may_not_create_tables_is_told_the_grant_and_it_helps(
    empty_postgresql_url: str, role: str, migrated: bool
) -> None:
    database = as_role(empty_postgresql_url, role)
    if migrated:
        with psycopg.connect(empty_postgresql_url) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num text)")
    with pytest.raises(StorageUnavailableError, match="permission denied") as unavailable:
        migrate(database)

    (grant,) = re.findall(r"GRANT .*", str(unavailable.value))
    with psycopg.connect(empty_postgresql_url) as connection:
        connection.execute(grant)
    if not migrated:
        migrate(database)
    database.close()


async def test_a_role_that_only_serves_needs_rights_on_the_tables_and_none_to_create(
    empty_postgresql_url: str, role: str
) -> None:
    owner = Database(empty_postgresql_url)
    migrate(owner)
    owner.close()
    database = as_role(empty_postgresql_url, role)
    with pytest.raises(StorageUnavailableError) as unavailable:
        bring_up_to_date(database)

    (grant,) = re.findall(r"GRANT .*", str(unavailable.value))
    with psycopg.connect(empty_postgresql_url) as connection:
        connection.execute(grant)
    database.close()
    async with running(settings_for(empty_postgresql_url.replace("//jeton@", f"//{role}@"))) as server:
        app, _ = server.add_client(), server.add_user()
        tokens = await server.log_in(app)
        tokens = await server.refreshed(app, tokens["refresh_token"])
        assert (await server.revoke(app, tokens["refresh_token"])).status_code == 200
        assert (await server.http.get("/readyz")).status_code == 200


def test_a_role_that_may_not_even_look_into_the_schema_is_told_so(empty_postgresql_url: str, role: str) -> None:
    with psycopg.connect(empty_postgresql_url) as connection:
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    database = as_role(empty_postgresql_url, role)

    with pytest.raises(SchemaError, match="GRANT USAGE ON SCHEMA public"):
        bring_up_to_date(database)
    database.close()


def test_a_wrong_password_is_told_and_not_repeated(postgresql_server: str, role: str) -> None:
    configuration = Path(postgresql_server.partition("host=")[2]) / "data" / "pg_hba.conf"
    before = configuration.read_text(encoding="utf-8")
    configuration.write_text(f"local all {role} scram-sha-256\n" + before, encoding="utf-8")
    with psycopg.connect(postgresql_server) as connection:
        connection.execute("SELECT pg_reload_conf()")
    wait_until(lambda: not _connects(postgresql_server, role), "the password is asked for", 10)
    database = Database(postgresql_server.replace("//jeton@", f"//{role}:wrong-password@"))

    with pytest.raises(StorageUnavailableError, match="set user and password") as unavailable:
        database.read().__enter__()

    assert "wrong-password" not in str(unavailable.value)
    database.close()


def _connects(server: str, role: str) -> bool:
    try:
        psycopg.connect(server, user=role).close()
    except psycopg.OperationalError:
        return False
    return True
