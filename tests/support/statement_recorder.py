"""Statements that servers send to their databases, through SQLAlchemy or directly through a driver.

BEGIN and COMMIT are not included; an update of several rows counts once for each.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pytest
from sqlalchemy import Connection, event

from jeton.storage import raw_statement
from support.in_process_server import Running

# The thread of maintenance is not one of them: requests cause it to read keys again.
_BACKGROUND: Final = ("housekeeping", "logout delivery", "measurements")


@contextmanager
def before_each_statement(jeton: Running, do: Callable[[str], None]) -> Iterator[None]:
    """Call this with the SQL of each statement of a request; an exception of it replaces the statement.

    Statements in threads of background work are left out, because their times are not fixed.
    """
    engine, bind = jeton.database.engine, raw_statement._CompiledStatement.bind
    run_in_order = raw_statement.RawStatement.run_in_order

    def by_sqlalchemy(_connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if threading.current_thread().name not in _BACKGROUND:
            do(sql)

    def by_the_driver(statement: raw_statement._CompiledStatement, values: Mapping[str, Any]) -> tuple[str, Any]:
        sql, parameters = bind(statement, values)
        if threading.current_thread().name not in _BACKGROUND:
            do(sql)
        return sql, parameters

    def in_order(statement: raw_statement.RawStatement, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        sql = statement._compiled_for(connection.dialect).sql
        for _ in rows:
            do(sql)
        run_in_order(statement, connection, rows)

    event.listen(engine, "before_cursor_execute", by_sqlalchemy)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(raw_statement._CompiledStatement, "bind", by_the_driver)
            patch.setattr(raw_statement.RawStatement, "run_in_order", in_order)
            yield
    finally:
        event.remove(engine, "before_cursor_execute", by_sqlalchemy)


@contextmanager
def statements_of(jeton: Running) -> Iterator[list[str]]:
    """Return the SQL of every statement."""
    sent: list[str] = []
    with before_each_statement(jeton, sent.append):
        yield sent
