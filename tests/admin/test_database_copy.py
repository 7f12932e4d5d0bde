"""Copy of a database: every row of every table arrives, also after an interruption, and never beside a server."""

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    create_engine,
    delete,
    insert,
    select,
)
from sqlalchemy.pool import NullPool

from jeton.admin import database_copy
from jeton.admin.database_copy import TABLES, CopyReport, copy_database
from jeton.admin.errors import AdminError
from jeton.background import maintenance, shared_state
from jeton.crypto.master_key import MasterKeyError, generate_master_key, parse_master_keys
from jeton.storage import database as database_module
from jeton.storage import exclusive_use as exclusive_use_module
from jeton.storage import table_copy
from jeton.storage.column_types import JsonObject, ScopeByResource, Words, WordSet
from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.exclusive_use import DatabaseInUseError, exclusive_use
from jeton.storage.migrate import SchemaError, bring_up_to_date, migrate
from jeton.storage.tables import consents, status_counter, users
from jeton.storage.write_probe import accepts_writes
from support.in_process_server import MASTER_KEY, running, settings_for
from support.signing_keys import all_stored_keys

OpenDatabase = Callable[[str], Database]
# Each kind of database sorts these differently, unless it compares bytes.
LETTERS = "Zaäß"
BACK_AND_FORTH = pytest.mark.parametrize(
    ("source_kind", "target_kind"), [("sqlite", "postgresql"), ("postgresql", "sqlite")]
)


@pytest.fixture
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for locks that are never released."""
    pragmas = [it for it in database_module._SQLITE_PRAGMAS if not it.startswith("busy_timeout=")]
    monkeypatch.setattr(database_module, "_SQLITE_PRAGMAS", ("busy_timeout=50", *pragmas))
    monkeypatch.setattr(database_module, "_LOCK_TIMEOUT_MS", 50)


def no_wait(_: float) -> None:
    """Do not wait for servers to disconnect, in tests without servers."""


@pytest.fixture
def new_database(request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path) -> Iterator[OpenDatabase]:
    """A function that opens a migrated, empty database of this kind."""
    found = list[Database]()

    def open_one(kind: str) -> Database:
        if kind == "sqlite":
            url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / f'{len(found)}.db')}"
        else:
            url = request.getfixturevalue("new_postgresql")()
        database = Database(url)
        found.append(database)
        with database.write() as connection:
            for table in reversed(TABLES):
                if table is not status_counter:
                    connection.execute(delete(table))
        return database

    yield open_one
    for database in found:
        database.close()


def value_of(column: Column[Any], number: int) -> Any:
    """Return a value of the column's type that differs for small numbers."""
    letter = LETTERS[number]
    match column.type:
        case ScopeByResource():
            return {letter: frozenset("ab"), "b": frozenset()}
        case JsonObject() | JSON():
            return {letter: number, "a": [None, "ä"]}
        case WordSet():
            return frozenset({letter, "b"})
        case Words():
            return (letter, "b", "a")
        case String():
            return letter
        case Boolean():
            return number % 2 == 0
        case BigInteger():
            return number * 2**40
        case Integer():
            return number * 2**20
        case LargeBinary():
            return bytes([number, 0, 255])
    raise AssertionError(f"no value for {column.type}")


def fill(database: Database, rows: range) -> None:
    """Insert these rows into each table: some rows have NULL in each nullable column."""
    with database.write() as connection:
        for table in TABLES:
            for number in range(1) if table is status_counter else rows:
                values = {it.name: value_of(it, number) for it in table.c if number != 1 or not it.nullable}
                if table is status_counter:
                    connection.execute(delete(table))
                    values = {"next_index": 4097}
                connection.execute(insert(table).values(values))


def content(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all tables."""
    with database.read() as connection:
        return {table.name: sorted(map(tuple, connection.execute(select(table))), key=repr) for table in TABLES}


def copied(source: Database, target: Database) -> CopyReport:
    return copy_database(source, target, None, lambda _, __: None, no_wait)


@pytest.mark.postgresql
@BACK_AND_FORTH
def test_every_row_of_every_table_arrives(new_database: OpenDatabase, source_kind: str, target_kind: str) -> None:
    source, target = new_database(source_kind), new_database(target_kind)
    fill(source, range(len(LETTERS)))
    before, steps = content(source), list[tuple[int, int]]()

    report = copy_database(source, target, None, lambda *it: steps.append(it), no_wait)

    assert content(target) == content(source) == before
    assert {name: it.rows for name, it in report.tables.items()} == {name: len(rows) for name, rows in before.items()}
    assert sum(done for done, _ in steps) == steps[0][1] == 3 * sum(map(len, before.values()))
    bring_up_to_date(target)


def test_no_table_has_a_sequence_which_a_copy_would_have_to_set() -> None:
    assert [table.name for table in TABLES if table.autoincrement_column is not None] == []


class Interrupted(BaseException):
    """The simulated end of the process."""


def interrupt_at(step: int) -> Callable[[int, int], None]:
    """Return a progress callback that raises `Interrupted` at this step."""
    steps = count(1)

    def progress(_: int, __: int) -> None:
        if next(steps) == step:
            raise Interrupted

    return progress


@pytest.mark.postgresql
@BACK_AND_FORTH
def test_a_copy_that_was_interrupted_is_continued_and_no_server_starts_before_it_is_complete(
    new_database: OpenDatabase, source_kind: str, target_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = new_database(source_kind), new_database(target_kind)
    fill(source, range(len(LETTERS)))
    monkeypatch.setattr(table_copy, "BATCH_SIZE", 2)

    for step in (1, 8, 30):
        with pytest.raises(Interrupted):
            copy_database(source, target, None, interrupt_at(step), no_wait)
        for start in (bring_up_to_date, migrate):
            with pytest.raises(SchemaError, match="copy into this database is not complete"):
                start(target)
    copied(source, target)

    assert content(target) == content(source)
    bring_up_to_date(target)


def change(connection: Connection) -> None:
    connection.execute(users.update().where(users.c.sub == "Z").values(username="another"))


def remove(connection: Connection) -> None:
    connection.execute(delete(consents).where(consents.c.sub == "a"))


@pytest.mark.parametrize(
    ("changes", "side"),
    [
        pytest.param(change, 0, id="changed source"),
        pytest.param(change, 1, id="changed target"),
        # What the target lacks is copied again.
        pytest.param(remove, 0, id="smaller source"),
    ],
)
def test_a_copy_is_not_continued_if_a_database_has_changed(
    new_database: OpenDatabase, changes: Callable[[Connection], None], side: int
) -> None:
    databases = source, target = new_database("sqlite"), new_database("sqlite")
    fill(source, range(len(LETTERS)))
    with pytest.raises(Interrupted):
        copy_database(source, target, None, interrupt_at(2 * len(TABLES)), no_wait)
    with databases[side].write() as connection:
        changes(connection)

    with pytest.raises(AdminError, match=r"table (users|consents) of the target differs from the source"):
        copied(source, target)


def test_value_that_the_target_returns_changed_is_reported(
    new_database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = new_database("sqlite"), new_database("sqlite")
    fill(source, range(len(LETTERS)))

    def copy_and_damage(table: Any, from_: Connection, to: Connection) -> Iterator[int]:
        yield from table_copy.copy_rows(table, from_, to)
        if table is users:
            with to.begin():
                change(to)

    monkeypatch.setattr(database_copy, "copy_rows", copy_and_damage)

    with pytest.raises(AdminError, match="table users of the target differs"):
        copied(source, target)
    with pytest.raises(SchemaError, match="not complete"):
        bring_up_to_date(target)


def test_a_target_that_is_not_empty_is_left_alone(new_database: OpenDatabase) -> None:
    source, target = new_database("sqlite"), new_database("sqlite")
    # SQLite checks no references on its connections, and a copy has the file to itself.
    engine = create_engine(target.url, poolclass=NullPool)
    for table in TABLES:
        if table is not status_counter:
            with engine.begin() as connection:
                connection.execute(insert(table).values({it.name: value_of(it, 0) for it in table.c}))
            before = content(target)

            with pytest.raises(AdminError, match=rf"the target is not empty \(table {table.name}\)"):
                copied(source, target)

            assert content(target) == before
            bring_up_to_date(target)
            with engine.begin() as connection:
                connection.execute(delete(table))


# Servers that use one of the databases.


@pytest.mark.parametrize("serving", [0, 1], ids=["source", "target"])
@pytest.mark.postgresql
@BACK_AND_FORTH
@pytest.mark.usefixtures("_short_waits")
def test_a_database_that_a_server_uses_is_refused(
    new_database: OpenDatabase, source_kind: str, target_kind: str, serving: int
) -> None:
    databases = source, target = new_database(source_kind), new_database(target_kind)
    server = Database(databases[serving].url.render_as_string(hide_password=False), serving=True)
    assert accepts_writes(server)

    # A server writes a row at least as often.
    with pytest.raises(DatabaseInUseError, match="is in use: stop all servers"):
        copy_database(source, target, None, lambda _, __: None, lambda _: assert_writes(server))

    server.close()
    copied(source, target)


def test_servers_are_observed_for_longer_than_from_one_of_their_writes_to_the_next() -> None:
    """They write at a refresh, which may take as long as the pause before it."""
    longest_refresh = 2 * maintenance._REFRESH_SECONDS

    assert shared_state._PROBE_SECONDS + longest_refresh < exclusive_use_module._OBSERVED_SECONDS


def assert_writes(server: Database) -> None:
    assert accepts_writes(server)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
@pytest.mark.usefixtures("_short_waits")
def test_nothing_writes_to_a_database_that_is_being_copied(new_database: OpenDatabase, kind: str) -> None:
    source = new_database(kind)
    other = Database(source.url.render_as_string(hide_password=False), serving=True)

    with exclusive_use(source, no_wait, keep_rows=True):
        assert not accepts_writes(other)
        with (
            pytest.raises((DatabaseInUseError, StorageUnavailableError)),
            exclusive_use(other, no_wait, keep_rows=False),
        ):
            pass

    assert accepts_writes(other)
    other.close()


# Master keys.


async def test_sessions_continue_at_a_server_on_the_copy(new_database: OpenDatabase) -> None:
    source, target = new_database("sqlite"), new_database("sqlite")
    urls = [it.url.render_as_string() for it in (source, target)]
    async with running(settings_for(urls[0])) as server:
        app, _ = server.add_client(), server.add_user()
        token = (await server.log_in(app))["refresh_token"]
        keys = all_stored_keys(server.database)

    other = parse_master_keys(generate_master_key())
    with pytest.raises(MasterKeyError, match="sessions depend on master key"):
        copy_database(source, target, other, lambda _, __: None, no_wait)
    both = parse_master_keys(f"{generate_master_key()},{MASTER_KEY}")
    report = copy_database(source, target, both, lambda _, __: None, no_wait)

    assert report.master_key_ids == {parse_master_keys(MASTER_KEY).newest}
    async with running(settings_for(urls[1])) as server:
        assert all_stored_keys(server.database) == keys
        await server.refreshed(app, token)


def test_signing_keys_that_the_target_cannot_open_are_reported_without_sessions(
    new_database: OpenDatabase, sqlite_url: str
) -> None:
    source, target = Database(sqlite_url), new_database("sqlite")

    with pytest.raises(MasterKeyError):
        copy_database(source, target, parse_master_keys(generate_master_key()), lambda _, __: None, no_wait)

    source.close()
