"""Statements that SQLAlchemy compiles once and the driver executes (ADR 0014).

Text, types, connection, transaction and errors are SQLAlchemy's. Only its execution is bypassed, because that costs
several times as much as the driver's (docs/performance.md).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from jeton.frozen import Frozen

# A statement with two lists may have as many texts as the product of their lengths.
_MAX_EXPANSIONS: Final = 256

_Convert: TypeAlias = Callable[[Any], Any]


class RawStatement:
    """A statement, compiled once for each dialect, whose lists are expanded once for each length."""

    def __init__(self, statement: Select[Any] | Insert | Update) -> None:
        self._statement = statement
        self._compiled: dict[str, _CompiledStatement] = {}

    def rows(self, connection: Connection, **values: Any) -> list[list[Any]]:
        """Execute a query and return its rows, with values converted by the types of their columns."""
        compiled = self._compiled_for(connection.dialect)
        sql, parameters = compiled.bind(values)
        return compiled.convert(execute_raw(connection, lambda cursor: cursor.execute(sql, parameters).fetchall()))

    def column(self, connection: Connection, **values: Any) -> list[Any]:
        """Execute a query of one column and return its values as the driver has them: quickly, even a million."""
        sql, parameters = self._compiled_for(connection.dialect).bind(values)
        found = execute_raw(connection, lambda cursor: cursor.execute(sql, parameters).fetchall())
        return [value for (value,) in found]

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute the statement once for each row of values. Return how many rows it changed."""
        bound = [self._compiled_for(connection.dialect).bind(row) for row in rows]
        sql, first = bound[0]
        if len(rows) == 1:
            return _row_count(connection, lambda cursor: cursor.execute(sql, first))
        return _row_count(connection, lambda cursor: cursor.executemany(sql, [parameters for _, parameters in bound]))

    def run_in_order(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Execute the statement once for each row, whose values are in the order of its parameters, and not converted.

        Only for SQLite, where parameters have numbers and no names.
        """
        sql = self._compiled_for(connection.dialect).sql
        execute_raw(connection, lambda cursor: cursor.executemany(sql, rows))

    def _compiled_for(self, dialect: Dialect) -> "_CompiledStatement":
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _CompiledStatement(self._statement, dialect)
        return compiled


class _ExpandedSql(Frozen):
    """SQL for lists of certain lengths, and the parameter names of their elements."""

    sql: str
    order: Sequence[str] | None
    elements: Mapping[str, Sequence[str]]
    constants: Mapping[str, Any]


class _CompiledStatement:
    """A statement compiled for one dialect."""

    def __init__(self, statement: Select[Any] | Insert | Update, dialect: Dialect) -> None:
        self._compiled: Any = statement.compile(dialect=dialect)
        self.sql: str = self._compiled.string
        binds = self._compiled.binds
        self._lists = [name for name, bind in binds.items() if bind.expanding]
        self._binders = [
            (name, _for_each(it) if bind.expanding else it)
            for name, bind in binds.items()
            if (it := _binder(bind.type, dialect))
        ]
        columns = statement.selected_columns if isinstance(statement, Select) else ()
        self._readers = [(place, it) for place, column in enumerate(columns) if (it := _reader(column.type, dialect))]
        self._expansions: dict[tuple[int, ...], _ExpandedSql] = {}

    def bind(self, values: Mapping[str, Any]) -> tuple[str, Any]:
        """Return SQL and parameters for the driver."""
        lengths = tuple([len(values[name]) for name in self._lists])
        text = self._expansions.get(lengths) or self._expand(lengths, values)
        parameters = {**text.constants, **values}
        for name, bind in self._binders:
            parameters[name] = bind(parameters[name])
        for name, elements in text.elements.items():
            parameters |= zip(elements, parameters.pop(name), strict=True)
        return text.sql, parameters if text.order is None else [parameters[name] for name in text.order]

    def convert(self, rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
        found = [list(row) for row in rows]
        for place, read in self._readers:
            for row in found:
                row[place] = read(row[place])
        return found

    def _expand(self, lengths: tuple[int, ...], values: Mapping[str, Any]) -> _ExpandedSql:
        if len(self._expansions) >= _MAX_EXPANSIONS:
            self._expansions.clear()
        state = self._compiled.construct_expanded_state(values, escape_names=False)
        elements = state.parameter_expansion
        given = {*values, *(element for names in elements.values() for element in names)}
        constants = {name: value for name, value in state.parameters.items() if name not in given}
        text = self._expansions[lengths] = _ExpandedSql(state.statement, state.positiontup, elements, constants)
        return text


def _row_count(connection: Connection, call: Callable[[Any], Any]) -> int:
    """Call the function with a cursor of the driver, and return the cursor's number of rows."""

    def run(cursor: Any) -> int:
        call(cursor)
        return int(cursor.rowcount)

    return int(execute_raw(connection, run))


def _binder(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _for_each(convert: _Convert) -> _Convert:
    """Return the conversion of a list."""
    return lambda values: [convert(it) for it in values]


def _reader(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def execute_raw(connection: Connection, call: Callable[[Any], Any]) -> Any:
    """Call the function with a cursor of the driver. Raise the driver's errors as SQLAlchemy's."""
    driver = connection.connection
    try:
        return call(driver.cursor())
    except connection.dialect.loaded_dbapi.Error as error:
        lost = connection.dialect.is_disconnect(error, driver, None)
        if lost:
            # The other connections in the pool are lost as well.
            connection.invalidate(error)
            connection.engine.dispose()
        raise DBAPIError.instance(
            None,
            None,
            error,
            connection.dialect.loaded_dbapi.Error,
            connection_invalidated=lost,
            dialect=connection.dialect,
        ) from error
