"""A batch of rows as one parameter in JSON, for PostgreSQL: executions cost its driver more than rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import JSON, Table, Text, bindparam, cast, column, func
from sqlalchemy.sql.selectable import TableValuedAlias


def json_rows(table: Table, names: Sequence[str]) -> TableValuedAlias:
    """Return the rows of the parameter `batch` as a table that has these columns, of their types in `table`."""
    columns = (column(name, table.c[name].type) for name in names)
    rows = func.json_to_recordset(cast(bindparam("batch", type_=Text), JSON)).table_valued(*columns, name="new")
    return rows.render_derived(with_types=True)


def encode_batch(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the parameter `batch` of these rows, whose octets are written by `octets_as_text`."""
    return {"batch": msgspec.json.encode([*rows]).decode()}


def octets_as_text(octets: bytes | None) -> str | None:
    """Return octets, which JSON cannot represent, in the text form of PostgreSQL."""
    return None if octets is None else "\\x" + octets.hex()
