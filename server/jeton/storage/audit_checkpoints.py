"""SQL statements on checkpoints of the audit trail."""

from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from jeton.storage.retention import delete_oldest
from jeton.storage.tables import audit_checkpoints
from jeton.storage.upserts import insert_into

_COLUMNS: Final = audit_checkpoints.c
_NEWEST: Final = select(audit_checkpoints).order_by(_COLUMNS.number.desc()).limit(1)


class Checkpoint(NamedTuple):
    """A row of `audit_checkpoints`."""

    number: int
    created_at: int
    signed: str


def load_checkpoints(connection: Connection) -> list[Checkpoint]:
    """Return all checkpoints, the oldest first."""
    return [Checkpoint(*row) for row in connection.execute(select(audit_checkpoints).order_by(_COLUMNS.number))]


def load_newest_checkpoint(connection: Connection) -> Checkpoint | None:
    row = connection.execute(_NEWEST).one_or_none()
    return None if row is None else Checkpoint(*row)


def load_checkpoint_before(connection: Connection, time: int, through: int | None = None) -> Checkpoint | None:
    """Return the newest checkpoint that was made at this time or before, of those up to the number `through`."""
    wanted = _NEWEST.where(_COLUMNS.created_at <= time)
    if through is not None:
        wanted = wanted.where(_COLUMNS.number <= through)
    row = connection.execute(wanted).one_or_none()
    return None if row is None else Checkpoint(*row)


def insert_checkpoint(connection: Connection, checkpoint: Checkpoint) -> None:
    """Insert the checkpoint, unless another process has inserted one of this number."""
    new = insert_into(connection, audit_checkpoints).values(checkpoint._asdict())
    connection.execute(new.on_conflict_do_nothing())


def delete_checkpoints(connection: Connection, below: int, limit: int) -> int:
    """Delete at most `limit` checkpoints below this number, the oldest first. Return how many."""
    return delete_oldest(connection, _COLUMNS.number, _COLUMNS.number, _COLUMNS.number < below, limit)
