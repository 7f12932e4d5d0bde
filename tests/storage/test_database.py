"""Connections to each database: durable, serialised, with bounded waits; values are read as they were written."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, BigInteger, Boolean, Integer, LargeBinary, String, Table, Text, text

from jeton.frozen import replace
from jeton.oauth.clients import Client
from jeton.oauth.sessions import Family
from jeton.oauth.users import User
from jeton.rules.key_lifecycle import ACCESS_TOKENS, KeyState, SigningKey
from jeton.storage import database as database_module
from jeton.storage import tables
from jeton.storage.clients import insert_client, load_clients
from jeton.storage.column_types import JsonObject, Words, WordSet
from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.database_url import DatabaseUrlError
from jeton.storage.families import insert_families, load_families, update_families
from jeton.storage.signing_keys import insert_signing_keys, load_signing_keys
from jeton.storage.status_index_allocator import allocate_status_indexes
from jeton.storage.users import insert_user, load_users
from jeton.storage.write_probe import accepts_writes
from support.ledger_fixtures import ledger_harness

# As they are outside of tests, which do not wait for the disk.
SQLITE_PRAGMAS = database_module._SQLITE_PRAGMAS
# A value for each type of column, as long or as awkward as it can be.
VALUES: dict[type, Callable[[Any], Any]] = {
    String: lambda column: column.name[: column.type.length],
    Text: lambda column: f'{column.name} quote " backslash \\ percent % {{brace}} \x01 \x7f \xe9 \u2028',
    BigInteger: lambda _: 2**40,
    Integer: lambda _: 2**31 - 1,
    LargeBinary: lambda _: bytes(range(256)),
    Words: lambda _: ("b", "a", "https://a.example"),
    WordSet: lambda _: frozenset({"b", "a", "https://a.example"}),
    JSON: lambda _: {"access_seconds": 60},
    JsonObject: lambda _: {"name": "Ælfrida", "address": {"country": "NO"}},
}


def example(kind: type, table: Table, **given: Any) -> Any:
    """Return a value without any default, so that a round trip checks every column."""
    values = {}
    parameters = signature(kind).parameters.values()
    for it in (it for it in parameters if it.name not in given):
        column = table.c[it.name]
        values[it.name] = it.default is not True if type(column.type) is Boolean else VALUES[type(column.type)](column)
    found = kind(**values | given)
    assert not [it.name for it in parameters if getattr(found, it.name) == it.default]
    return found


USER: User = example(User, tables.users, username="Ælfrida", email="a@example.com")
CLIENT: Client = example(Client, tables.clients)
FAMILY: Family = example(Family, tables.families, sub=USER.sub, client_id=CLIENT.client_id)
ID_TOKEN_KEY: SigningKey = example(
    SigningKey, tables.id_token_keys, state=KeyState.RETIRING, algorithm="ES256", series="ES256"
)
KEY = replace(ID_TOKEN_KEY, kid="of access tokens", series=ACCESS_TOKENS)


def insert(database: Database, *families: Family) -> None:
    with database.write() as connection:
        insert_user(connection, USER)
        insert_client(connection, CLIENT)
        insert_families(connection, families)


def test_values_are_read_as_they_were_written(database: Database) -> None:
    insert(database, FAMILY)
    with database.write() as connection:
        insert_signing_keys(connection, [KEY, ID_TOKEN_KEY])

    with database.read() as connection:
        assert load_users(connection, [USER.sub]) == {USER.sub: USER}
        assert load_clients(connection, [CLIENT.client_id]) == {CLIENT.client_id: CLIENT}
        assert load_families(connection, [FAMILY.sid]) == {FAMILY.sid: FAMILY}
        assert {KEY, ID_TOKEN_KEY} <= set(load_signing_keys(connection))


def test_an_update_of_families_writes_all_that_may_change_and_nothing_else(database: Database) -> None:
    numbers = ("generation", "access_expires_at", "rotated_at", "idle_expires_at", "retries", "moves")
    optional = [
        *("idempotency_digest", "asked_scope", "asked_resource", "revoked_at", "revoke_reason"),
        *("last_ip", "last_user_agent"),
    ]
    unchanged: dict[str, Any] = dict.fromkeys(numbers, 0) | dict.fromkeys(optional)
    before = FAMILY._replace(**unchanged)
    after = {
        "all": FAMILY._replace(sid="all"),
        "some": before._replace(sid="some", generation=7, asked_scope=frozenset(), last_ip="2001:db8::1"),
    }
    insert(database, *(before._replace(sid=sid) for sid in ("all", "some", "other")))

    with database.write() as connection:
        update_families(connection, after.values())

    with database.read() as connection:
        found = load_families(connection, ["all", "some", "other"])
    assert found == after | {"other": before._replace(sid="other")}


def test_a_transaction_that_fails_leaves_nothing_behind(database: Database) -> None:
    def write_and_fail() -> None:
        with database.write() as connection:
            insert_user(connection, USER)
            raise LookupError

    with pytest.raises(LookupError):
        write_and_fail()

    with database.read() as connection:
        assert load_users(connection, [USER.sub]) == {}


def test_every_connection_to_sqlite_is_durable_and_checks_references(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_SQLITE_PRAGMAS", SQLITE_PRAGMAS)
    expected = {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5000, "foreign_keys": 1}
    database = Database(sqlite_url)
    with database.read() as first, database.read() as second:
        for connection in (first, second):
            assert {name: connection.scalar(text(f"PRAGMA {name}")) for name in expected} == expected
    database.close()


@pytest.mark.requirement("O13")
@pytest.mark.parametrize(
    ("serving", "bounds"),
    [(True, ["3s", "2s", "5s", "off"]), (False, ["0", "0", "1min", "on"])],
    ids=["server", "command"],
)
def test_waits_for_postgresql_are_bounded_and_transactions_read_what_others_committed(
    postgresql_url: str, serving: bool, bounds: list[str]
) -> None:
    """A stricter isolation level would read the data from before the wait for a lock."""
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "jit")
    database = Database(postgresql_url, serving=serving)
    with database.write() as connection:
        name = database.url.database
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    database.engine.dispose()

    with database.write() as connection:
        assert [connection.scalar(text(f"SHOW {name}")) for name in names] == bounds
        assert connection.scalar(text("SHOW transaction_isolation")) == "read committed"
    database.close()


@pytest.mark.requirement("O19")
def test_a_write_to_a_read_only_database_is_unavailable_with_advice(postgresql_url: str) -> None:
    database = Database(postgresql_url, serving=True)
    with pytest.raises(StorageUnavailableError, match="name the primary"), database.write() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY; DELETE FROM users")
    database.close()


def test_database_whose_probed_row_is_locked_accepts_writes(postgresql_url: str) -> None:
    """A stopped command keeps its lock for a minute: no server must be called unready for that."""
    database, command = Database(postgresql_url, serving=True), Database(postgresql_url)

    with command.write() as connection:
        allocate_status_indexes(connection, 1)
        assert accepts_writes(database)

    assert accepts_writes(database)
    command.close()
    database.close()


@pytest.mark.requirement("O19")
def test_an_answer_from_a_machine_that_has_vanished_is_awaited_for_seconds(postgresql_url: str) -> None:
    """After the first unanswered keepalive, the TCP timeout counts from the last received segment."""
    database = Database(postgresql_url)
    with database.read() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        given = driver.info.get_parameters()
    database.close()

    assert int(given["keepalives_idle"]) < int(given["tcp_user_timeout"]) / 1000 <= 5
    assert int(given["keepalives_interval"]) == 1


@pytest.mark.requirement("O19")
async def test_a_sqlite_file_that_is_locked_for_too_long_is_unavailable(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pragmas = tuple(it.replace("=5000", "=20") for it in database_module._SQLITE_PRAGMAS)
    monkeypatch.setattr(database_module, "_SQLITE_PRAGMAS", pragmas)
    other = Database(sqlite_url)
    async with ledger_harness(sqlite_url) as harness:
        with other.write(), pytest.raises(StorageUnavailableError, match="locked"):
            await harness.rotate("a")

        assert harness.generations("a") == [0]
        assert (await harness.rotate("a")).reason == "rotated"
    other.close()


@pytest.mark.parametrize(
    "path", ["", "file/jeton.db", "file/var/jeton.db"], ids=["a folder", "in a file", "below a file"]
)
def test_a_sqlite_file_that_cannot_be_created_is_refused_by_name(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DatabaseUrlError, match=f"cannot open {tmp_path / path}: .* Jeton may write"):
        Database(f"sqlite:///{tmp_path / path}")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        pytest.param(lambda sound: sound[:4096] + b"\xff" * (len(sound) - 4096), "malformed", id="damaged"),
        pytest.param(lambda _: b"a letter\n" * 1000, r"jeton\.db: file is not a database", id="no database"),
    ],
)
def test_a_damaged_file_is_unavailable_and_left_as_it_is(
    sqlite_url: str, damage: Callable[[bytes], bytes], says: str
) -> None:
    database = Database(sqlite_url)
    assert database.file is not None
    damaged = damage(database.file.read_bytes())
    database.file.write_bytes(damaged)

    with pytest.raises(StorageUnavailableError, match=says), database.read() as connection:
        connection.scalar(text("SELECT count(*) FROM users"))

    database.close()
    assert database.file.read_bytes() == damaged
