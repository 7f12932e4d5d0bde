"""Statements that requests run: SQLAlchemy writes each once, and the driver itself runs it (ADR 0014).

The text, the types, the connection, its transaction and its errors are SQLAlchemy's. Only its way through an execution
is left out: it costs several times what the driver's own does (docs/performance.md).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

# Of a statement with two lists there may be as many as the product of their lengths.
_MAX_TEXTS: Final = 256

_Convert: TypeAlias = Callable[[Any], Any]


class RawStatement:
    """A statement, compiled once for each dialect, with its lists of strings spelled out once for each length."""

    def __init__(self, statement: Select[Any] | Insert | Update) -> None:
        self._statement = statement
        self._forms: dict[str, _Form] = {}

    def rows(self, connection: Connection, **values: Any) -> list[list[Any]]:
        """What a query finds, each column as the type says that it is declared with."""
        form = self._form(connection.dialect)
        sql, parameters = form.filled(values)
        return form.read(execute_raw(connection, lambda cursor: cursor.execute(sql, parameters).fetchall()))

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """An update, once for each of these."""
        filled = [self._form(connection.dialect).filled(row) for row in rows]
        sql, first = filled[0]
        if len(rows) == 1:
            execute_raw(connection, lambda cursor: cursor.execute(sql, first))
        else:
            execute_raw(connection, lambda cursor: cursor.executemany(sql, [parameters for _, parameters in filled]))

    def _form(self, dialect: Dialect) -> "_Form":
        form = self._forms.get(dialect.name)
        if form is None:
            form = self._forms[dialect.name] = _Form(self._statement, dialect)
        return form


@dataclass(frozen=True, slots=True)
class _Text:
    """SQL for lists of certain lengths, and the names under which it takes their elements."""

    sql: str
    order: Sequence[str] | None
    elements: Mapping[str, Sequence[str]]
    constants: Mapping[str, Any]


class _Form:
    """What one dialect makes of a statement."""

    def __init__(self, statement: Select[Any] | Insert | Update, dialect: Dialect) -> None:
        self._compiled: Any = statement.compile(dialect=dialect)
        binds = self._compiled.binds
        self._lists = [name for name, bind in binds.items() if bind.expanding]
        self._binders = [(name, it) for name, bind in binds.items() if (it := _binder(bind.type, dialect))]
        columns = statement.selected_columns if isinstance(statement, Select) else ()
        self._readers = [(place, it) for place, column in enumerate(columns) if (it := _reader(column.type, dialect))]
        self._texts: dict[tuple[int, ...], _Text] = {}

    def filled(self, values: Mapping[str, Any]) -> tuple[str, Any]:
        """SQL and parameters, as the driver takes them."""
        lengths = tuple([len(values[name]) for name in self._lists])
        text = self._texts.get(lengths) or self._spelled_out(lengths, values)
        parameters = {**text.constants, **values}
        for name, bind in self._binders:
            parameters[name] = bind(parameters[name])
        for name, elements in text.elements.items():
            parameters |= zip(elements, parameters.pop(name), strict=True)
        return text.sql, parameters if text.order is None else [parameters[name] for name in text.order]

    def read(self, rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
        found = [list(row) for row in rows]
        for place, read in self._readers:
            for row in found:
                row[place] = read(row[place])
        return found

    def _spelled_out(self, lengths: tuple[int, ...], values: Mapping[str, Any]) -> _Text:
        if len(self._texts) >= _MAX_TEXTS:
            self._texts.clear()
        state = self._compiled.construct_expanded_state(values, escape_names=False)
        elements = state.parameter_expansion
        given = {*values, *(element for names in elements.values() for element in names)}
        constants = {name: value for name, value in state.parameters.items() if name not in given}
        text = self._texts[lengths] = _Text(state.statement, state.positiontup, elements, constants)
        return text


def _binder(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _reader(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def execute_raw(connection: Connection, call: Callable[[Any], Any]) -> Any:
    """Lets the driver do it with a cursor of its own, and reports its errors as SQLAlchemy does."""
    driver = connection.connection
    try:
        return call(driver.cursor())
    except connection.dialect.loaded_dbapi.Error as error:
        lost = connection.dialect.is_disconnect(error, driver, None)
        if lost:
            # The others that wait in the pool were lost with it.
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
