"""Copy of a table into another database, in the order of its primary key, so that a copy can be continued."""

import hashlib
import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, String, Table, collate, delete, func, insert, select

from jeton.frozen import Frozen

BATCH_SIZE: Final = 1000


class NotACopyError(Exception):
    """The rows of the target are not the first rows of the source."""


class TableContent(Frozen):
    """The rows of a table: how many, and a digest that is the same in every kind of database."""

    rows: int
    digest: str


def copy_rows(table: Table, source: Connection, target: Connection) -> Generator[int, None, None]:
    """Copy the rows that the target lacks, one transaction per batch. Yield how many rows each step has dealt with.

    Raise NotACopyError if the rows in the target are not the first ones of the source.
    """
    with source.begin(), _rows(table, source) as rows:
        with target.begin(), _rows(table, target) as copied:
            for row in copied:
                if next(rows, None) != row:
                    raise NotACopyError(table.name)
                yield 1
        while batch := list(islice(rows, BATCH_SIZE)):
            with target.begin():
                target.execute(insert(table), [dict(row._mapping) for row in batch])
            yield len(batch)


def count_rows(table: Table, connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def delete_rows(table: Table, connection: Connection) -> None:
    connection.execute(delete(table))


def read_content(table: Table, connection: Connection) -> TableContent:
    """Read all rows, and return their number and digest."""
    digest, rows = hashlib.sha256(), 0
    with connection.begin(), _rows(table, connection) as found:
        for row in found:
            digest.update(json.dumps(list(row), default=_to_json_value, sort_keys=True).encode() + b"\n")
            rows += 1
    return TableContent(rows, digest.hexdigest())


@contextmanager
def _rows(table: Table, connection: Connection) -> Iterator[Iterator[Row[Any]]]:
    """Open the rows in the order of their primary key. They are read some at a time."""
    query = select(table).order_by(*(_by_bytes(it, connection) for it in table.primary_key))
    with connection.execute(query.execution_options(yield_per=BATCH_SIZE)) as result:
        yield iter(result)


def _by_bytes(column: ColumnElement[Any], connection: Connection) -> ColumnElement[Any]:
    """Return what to order by: SQLite compares text byte by byte, PostgreSQL by the language of the database."""
    is_text = isinstance(column.type, String)
    return collate(column, "C") if is_text and connection.dialect.name == "postgresql" else column


def _to_json_value(value: object) -> object:
    """Return a JSON value for bytes, sets and mappings."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return sorted(value)
    raise TypeError(type(value).__name__)
