"""SQL statements on audit records."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql

from jeton.oauth.audit_events import AuditRecord
from jeton.storage.json_rows import encode_batch, json_rows, octets_as_text
from jeton.storage.raw_statement import RawStatement
from jeton.storage.tables import audit_records

_COLUMNS: Final = audit_records.c
_FIELDS: Final = AuditRecord._fields
_INSERT: Final = RawStatement(insert(audit_records).values({name: bindparam(name) for name in _FIELDS}))
_NEW = json_rows(audit_records, _FIELDS)
_INSERT_ALL: Final = RawStatement(
    postgresql.insert(audit_records).from_select(_FIELDS, select(*(_NEW.c[name] for name in _FIELDS)))
)
_OCTETS: Final = ("mac", "personal_digest", "salt")
_PAGE: Final = 1000
_ERASED: Final = {"salt": None, "sub": None, "address": None, "user_agent": None}
_IS_FIRST: Final = _COLUMNS.seq == 1


class Head(NamedTuple):
    """The newest record of a chain."""

    chain: str
    seq: int
    mac: bytes


def insert_audit_records(connection: Connection, records: Sequence[AuditRecord]) -> None:
    """Insert records that are new."""
    if connection.dialect.name == "postgresql":
        _INSERT_ALL.run(connection, [encode_batch(map(_json_row, records))])
    else:
        _INSERT.run_in_order(connection, records)


def _json_row(record: AuditRecord) -> dict[str, Any]:
    return record._asdict() | {name: octets_as_text(getattr(record, name)) for name in _OCTETS}


def load_by_chain(connection: Connection) -> Iterator[AuditRecord]:
    """Yield all records in the order of their chains and numbers."""
    return _pages(connection, (_COLUMNS.chain, _COLUMNS.seq), ())


def load_by_time(
    connection: Connection,
    *,
    sub: str | None = None,
    client_id: str | None = None,
    sid: str | None = None,
    request_id: str | None = None,
) -> Iterator[AuditRecord]:
    """Yield the records with these values, the oldest first."""
    wanted = _selection(sub=sub, client_id=client_id, sid=sid, request_id=request_id)
    return _pages(connection, (_COLUMNS.created_at, _COLUMNS.chain, _COLUMNS.seq), wanted)


def load_newest(connection: Connection, limit: int, **wanted: str | None) -> list[AuditRecord]:
    """Return the newest records with these values, the oldest of them first."""
    newest = select(audit_records).where(*_selection(**wanted))
    ordered = newest.order_by(_COLUMNS.created_at.desc(), _COLUMNS.chain.desc(), _COLUMNS.seq.desc()).limit(limit)
    return [AuditRecord(*row) for row in connection.execute(ordered)][::-1]


def count_audit_records(connection: Connection, **wanted: str | None) -> int:
    """Return the number of records with these values."""
    return connection.scalar(select(func.count()).select_from(audit_records).where(*_selection(**wanted))) or 0


def erase_person(connection: Connection, sub: str) -> int:
    """Remove the person from their records: what remains authenticates the rest. Return the number of records."""
    return connection.execute(update(audit_records).where(_COLUMNS.sub == sub).values(_ERASED)).rowcount


def load_heads(connection: Connection, since: int, until: int) -> list[Head]:
    """Return the newest record of each chain that began at `since` or later, if it is not older than `until`."""
    began = select(_COLUMNS.chain).where(_IS_FIRST, _COLUMNS.created_at >= since)
    heads = []
    for chain in connection.scalars(began).all():
        newest = select(_COLUMNS.seq, _COLUMNS.mac, _COLUMNS.created_at).where(_COLUMNS.chain == chain)
        row = connection.execute(newest.order_by(_COLUMNS.seq.desc()).limit(1)).one()
        if row.created_at >= until:
            heads.append(Head(chain, row.seq, row.mac))
    return sorted(heads)


def delete_chains(connection: Connection, began_before: int, limit: int) -> int:
    """Delete at most `limit` records of chains that began before this time, each chain from its end. Return how many.

    The first record of a chain goes last: by it the others are found.
    """
    oldest = select(_COLUMNS.chain).where(_IS_FIRST, _COLUMNS.created_at < began_before)
    chain = connection.scalar(oldest.order_by(_COLUMNS.created_at).limit(1).with_for_update(skip_locked=True))
    if chain is None:
        return 0
    of_chain = _COLUMNS.chain == chain
    newest = select(_COLUMNS.seq).where(of_chain).order_by(_COLUMNS.seq.desc()).limit(limit)
    found: Collection[int] = connection.scalars(newest).all()
    connection.execute(delete(audit_records).where(of_chain, _COLUMNS.seq >= min(found)))
    return len(found)


def _selection(**wanted: str | None) -> list[ColumnElement[bool]]:
    return [_COLUMNS[name] == value for name, value in wanted.items() if value is not None]


def _pages(
    connection: Connection, order: Sequence[ColumnElement[Any]], wanted: Sequence[ColumnElement[bool]]
) -> Iterator[AuditRecord]:
    """Yield records in this order, a page at a time: there may be more than fit into memory."""
    query = select(audit_records).where(*wanted).order_by(*order).limit(_PAGE)
    page = connection.execute(query).all()
    while page:
        yield from (AuditRecord(*row) for row in page)
        last = [literal(getattr(page[-1], it.name)) for it in order]
        page = connection.execute(query.where(tuple_(*order) > tuple_(*last))).all()
