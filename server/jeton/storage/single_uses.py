"""SQL statements on what was used and may not be used again."""

from collections.abc import Collection, Iterable
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from jeton.oauth.single_use import SingleUse
from jeton.storage.limited_counts import count_up_to
from jeton.storage.raw_statement import RawStatement
from jeton.storage.retention import delete_oldest
from jeton.storage.row_lock_batches import ConcurrentUseError
from jeton.storage.tables import single_uses

_VALUES: Final[dict[str, Any]] = {"digest": bindparam("digest"), "expires_at": bindparam("expires_at")}
_INSERT: Final = {
    "postgresql": RawStatement(postgresql.insert(single_uses).values(_VALUES).on_conflict_do_nothing()),
    "sqlite": RawStatement(sqlite.insert(single_uses).values(_VALUES).on_conflict_do_nothing()),
}
_LOAD: Final = RawStatement(select(single_uses).where(single_uses.c.digest.in_(bindparam("digests", expanding=True))))


def load_single_uses(connection: Connection, digests: Collection[bytes]) -> dict[bytes, SingleUse]:
    """Return those that were used, by digest, expired or not. Takes no lock."""
    if not digests:
        return {}
    return {digest: SingleUse(digest, expires_at) for digest, expires_at in _LOAD.rows(connection, digests=digests)}


def insert_single_uses(connection: Connection, used: Iterable[SingleUse]) -> None:
    """Insert all. Raise ConcurrentUseError if another transaction has inserted one of them since.

    In the order of the digests, so that two transactions never wait for each other.
    """
    rows = [{"digest": it.digest, "expires_at": it.expires_at} for it in sorted(used, key=lambda single: single.digest)]
    if _INSERT[connection.dialect.name].run(connection, rows) != len(rows):
        raise ConcurrentUseError


def count_single_uses(connection: Connection, limit: int) -> int:
    """Return the number of rows, or `limit` if there are as many or more."""
    return count_up_to(connection, select(single_uses.c.digest), limit)


def delete_expired_single_uses(connection: Connection, now: int, limit: int) -> int:
    """Delete at most `limit` of them that have expired and return how many."""
    return delete_oldest(
        connection, single_uses.c.digest, single_uses.c.expires_at, single_uses.c.expires_at <= now, limit
    )
