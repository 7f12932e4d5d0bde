"""Statements that the driver runs give what SQLAlchemy would have given: types, lists, constants and errors."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, Select, Update, bindparam, create_engine, select, text, update
from sqlalchemy.exc import IntegrityError

from jeton.storage.clients import insert_client
from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.families import insert_families, load_families, update_families
from jeton.storage.raw_statement import RawStatement
from jeton.storage.tables import clients, families
from jeton.storage.users import insert_user
from support.ledger_fixtures import CLIENT, USER, family

THESE = select(families).where(families.c.sid.in_(bindparam("sids", expanding=True)))
OF_MEANWHILE = THESE.where(families.c.created_at >= bindparam("begin"), families.c.retries != 7)


@pytest.fixture
def connection(database_url: str) -> Any:
    database = Database(database_url, serving=True)
    with database.write() as connection:
        insert_client(connection, CLIENT)
        insert_user(connection, USER)
        insert_families(connection, [family(sid, scope=frozenset({"b", "a"}), amr=("pwd",)) for sid in "abc"])
        yield connection
    database.close()


def by_sqlalchemy(connection: Connection, query: Select[Any], **values: Any) -> list[list[Any]]:
    return [list(row) for row in connection.execute(query, values)]


@pytest.mark.parametrize("sids", [["a"], ["a", "b", "c"], ["b", "nobody"], [], ["a", "c"]], ids=str)
def test_a_query_finds_the_same_as_by_sqlalchemy(connection: Connection, sids: Collection[str]) -> None:
    prepared = RawStatement(THESE.order_by(families.c.sid))

    for _ in range(2):
        assert prepared.rows(connection, sids=sids) == by_sqlalchemy(
            connection, THESE.order_by(families.c.sid), sids=list(sids)
        )


def test_no_more_lengths_are_kept_than_have_room(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jeton.storage.raw_statement._MAX_EXPANSIONS", 3)
    prepared = RawStatement(THESE)

    found = [len(prepared.rows(connection, sids=["a", *"xyz" * length])) for length in (0, 1, 2, 3, 4, 0)]

    assert found == [1] * 6
    assert len(prepared._compiled_for(connection.dialect)._expansions) == 3


def test_single_values_and_constants_stand_beside_lists(connection: Connection) -> None:
    begin = family("a").created_at
    prepared = RawStatement(OF_MEANWHILE)

    found = [len(prepared.rows(connection, sids={"a", "b"}, begin=begin + later)) for later in (0, 1, 0)]

    assert found == [2, 0, 2]


def test_columns_are_read_as_their_types_say(connection: Connection) -> None:
    (row,) = RawStatement(select(clients).where(clients.c.client_id.in_(bindparam("ids", expanding=True)))).rows(
        connection, ids=["web"]
    )

    assert (row[1], row[5], row[9], row[12]) == (True, frozenset(), (), {})


@pytest.mark.parametrize("count", [1, 3])
def test_an_update_writes_as_its_types_say(connection: Connection, count: int) -> None:
    changing: Update = (
        update(families).where(families.c.sid == bindparam("at")).values(asked_scope=bindparam("new_scope"))
    )
    rows = [{"at": sid, "new_scope": frozenset({"z", sid})} for sid in "abc"[:count]]

    RawStatement(changing).run(connection, rows)

    scopes = {sid: it.asked_scope for sid, it in load_families(connection, list("abc")).items()}
    assert scopes == {sid: frozenset({"z", sid}) if sid in "abc"[:count] else None for sid in "abc"}


NASTY = 'quote " backslash \\ percent % {brace} \x01 \x7f \xe9 \u2028'


def test_whatever_a_family_holds_is_written_as_it_is(connection: Connection) -> None:
    changed = [
        family("a", generation=7, idempotency_digest=bytes(range(32)), asked_scope=frozenset({"b", "a"}), retries=3),
        family("b", last_ip="2001:db8::1", last_user_agent=NASTY, revoked_at=5, revoke_reason=NASTY, moves=2),
        family("c", asked_scope=frozenset(), access_expires_at=2**40),
    ]

    update_families(connection, changed)

    found = load_families(connection, ["a", "b", "c"])
    assert found == {it.sid: replace(it, scope=found["a"].scope, amr=("pwd",)) for it in changed}


def test_errors_are_those_of_sqlalchemy_and_show_no_statement(connection: Connection) -> None:
    with connection.begin_nested() as savepoint:
        with pytest.raises(IntegrityError) as raised:
            RawStatement(update(families).values(client_id=bindparam("new"))).run(connection, [{"new": "a secret"}])
        savepoint.rollback()

    assert "UPDATE" not in str(raised.value)


END_THE_SERVERS = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'jeton'")


def test_a_lost_connection_takes_the_whole_pool_with_it(postgresql_url: str) -> None:
    database = Database(postgresql_url, serving=True)
    stranger = create_engine(postgresql_url, connect_args={"application_name": "a stranger"}).connect()
    with database.read() as one, database.read() as other:
        assert load_families(one, ["a"]) == load_families(other, ["a"]) == {}

    def ask_and_be_cut_off() -> None:
        with database.read() as connection:
            stranger.execute(END_THE_SERVERS).all()
            load_families(connection, ["a"])

    with pytest.raises(StorageUnavailableError, match="terminating connection"):
        ask_and_be_cut_off()

    with database.read() as connection:
        assert load_families(connection, ["a"]) == {}
    database.close()
    stranger.close()
    stranger.engine.dispose()
