"""Statements run by the driver return what SQLAlchemy would return: types, lists, constants and errors."""

from collections.abc import Collection, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, create_engine, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.compiler import SQLCompiler

from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.families import load_families
from jeton.storage.raw_statement import RawStatement
from jeton.storage.tables import clients, families
from support.ledger_fixtures import family, insert_accounts

BY_SID = select(families).where(families.c.sid.in_(bindparam("sids", expanding=True))).order_by(families.c.sid)
CREATED_SINCE = BY_SID.where(families.c.created_at >= bindparam("begin"), families.c.retries != 7)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    insert_accounts(database, *(family(sid, scope=frozenset({"b", "a"}), amr=("pwd",)) for sid in "abc"))
    with database.write() as connection:
        yield connection


@pytest.mark.parametrize("sids", [["a"], ["a", "b", "c"], ["b", "nobody"], [], ["a", "c"]], ids=str)
def test_a_query_finds_the_same_as_by_sqlalchemy(connection: Connection, sids: Collection[str]) -> None:
    expected = [list(row) for row in connection.execute(BY_SID, {"sids": sids})]
    statement = RawStatement(BY_SID)

    assert [statement.rows(connection, sids=sids) for _ in range(2)] == [expected] * 2


def test_a_bounded_number_of_lengths_is_kept(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jeton.storage.raw_statement._MAX_EXPANSIONS", 3)
    expanded = []
    expand = SQLCompiler.construct_expanded_state

    def counted(*args: Any, **options: Any) -> Any:
        expanded.append(args)
        return expand(*args, **options)

    monkeypatch.setattr(SQLCompiler, "construct_expanded_state", counted)
    statement = RawStatement(BY_SID)

    found = [len(statement.rows(connection, sids=["a", *"xyz" * length])) for length in (0, 1, 2, 0, 3, 0)]

    # They are evicted by the fourth one.
    assert (found, len(expanded)) == ([1] * 6, 5)


def test_statement_combines_lists_with_single_values_and_constants(connection: Connection) -> None:
    begin = family("a").created_at
    statement = RawStatement(CREATED_SINCE)

    found = [len(statement.rows(connection, sids={"a", "b"}, begin=begin + later)) for later in (0, 1, 0)]

    assert found == [2, 0, 2]


def test_columns_are_read_as_their_types_say(connection: Connection) -> None:
    query = select(clients).where(clients.c.client_id.in_(bindparam("ids", expanding=True)))

    (row,) = RawStatement(query).rows(connection, ids=["web"])

    assert (row[1], row[5], row[9], row[12]) == (True, frozenset(), (), {})


@pytest.mark.parametrize("count", [1, 3])
def test_an_update_writes_as_its_types_say(connection: Connection, count: int) -> None:
    changing = update(families).where(families.c.sid == bindparam("at")).values(asked_scope=bindparam("new_scope"))
    rows = [{"at": sid, "new_scope": frozenset({"z", sid})} for sid in "abc"[:count]]

    RawStatement(changing).run(connection, rows)

    scopes = {sid: it.asked_scope for sid, it in load_families(connection, list("abc")).items()}
    assert scopes == {sid: frozenset({"z", sid}) if sid in "abc"[:count] else None for sid in "abc"}


def test_errors_are_those_of_sqlalchemy_and_show_no_statement(connection: Connection) -> None:
    with connection.begin_nested() as savepoint:
        with pytest.raises(IntegrityError) as raised:
            RawStatement(update(families).values(client_id=bindparam("new"))).run(connection, [{"new": "a secret"}])
        savepoint.rollback()

    assert "UPDATE" not in str(raised.value)


END_SERVER_CONNECTIONS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'jeton'"
)


def test_a_lost_connection_takes_the_whole_pool_with_it(postgresql_url: str) -> None:
    database = Database(postgresql_url, serving=True)
    stranger = create_engine(postgresql_url, connect_args={"application_name": "a stranger"}).connect()
    with database.read() as one, database.read() as other:
        assert load_families(one, ["a"]) == load_families(other, ["a"]) == {}

    def read_and_lose_the_connection() -> None:
        with database.read() as connection:
            stranger.execute(END_SERVER_CONNECTIONS).all()
            load_families(connection, ["a"])

    with pytest.raises(StorageUnavailableError, match="terminating connection"):
        read_and_lose_the_connection()

    with database.read() as connection:
        assert load_families(connection, ["a"]) == {}
    database.close()
    stranger.close()
    stranger.engine.dispose()
