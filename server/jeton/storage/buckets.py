"""Statements over the buckets of failures. Keys are digests, of constant length: no row names anybody."""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from jeton.oauth.rate_limits import Bucket
from jeton.storage.forgetting import forget_past
from jeton.storage.tables import throttle_buckets as buckets

_VALUES: Final = (
    buckets.c.due,
    buckets.c.failures,
    buckets.c.expires_at,
    buckets.c.pending,
    buckets.c.pending_until,
)
_LIVING = select(buckets.c.key, *_VALUES).where(
    buckets.c.key.in_(bindparam("keys", expanding=True)), buckets.c.expires_at > bindparam("now")
)
_DELETE = delete(buckets).where(buckets.c.key.in_(bindparam("keys", expanding=True)))
_STORE = (
    update(buckets)
    .where(buckets.c.key == bindparam("at_key"))
    .values({column.name: bindparam(f"new_{column.name}") for column in _VALUES})
)


def load_buckets(connection: Connection, keys: Collection[bytes], now: int) -> dict[bytes, Bucket]:
    """Return the buckets that have not expired. Takes no lock."""
    rows = connection.execute(_LIVING, {"keys": list(keys), "now": now}) if keys else ()
    return {key: Bucket(*values).at(now) for key, *values in rows}


def lock_buckets(connection: Connection, keys: Collection[bytes], now: int) -> dict[bytes, Bucket]:
    """Return the buckets, locked in the order of their keys until the transaction ends. Missing ones are inserted.

    One statement locks and reads: it returns what is in the row once the lock is held.
    """
    if not keys:
        return {}
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(buckets)
    lock = insert.on_conflict_do_update(index_elements=[buckets.c.key], set_={"due": buckets.c.due})
    empty = {"due": 0, "failures": 0, "expires_at": now, "pending": 0, "pending_until": 0}
    rows = [{"key": key, **empty} for key in sorted(keys)]
    found = connection.execute(lock.returning(buckets.c.key, *_VALUES), rows)
    return {key: Bucket(*values).at(now) for key, *values in found}


def store_buckets(connection: Connection, changed: Mapping[bytes, Bucket], now: int) -> None:
    """Update locked buckets. Delete those that have expired."""
    rows = [
        {"at_key": key, **{f"new_{column.name}": getattr(it, column.name) for column in _VALUES}}
        for key, it in changed.items()
        if it.expires_at > now
    ]
    if rows:
        connection.execute(_STORE, rows)
    if empty := [key for key, it in changed.items() if it.expires_at <= now]:
        connection.execute(_DELETE, {"keys": empty})


def forget_buckets(connection: Connection, now: int, most: int) -> int:
    """Deletes those that hold nothing any more."""
    return forget_past(connection, buckets.c.key, buckets.c.expires_at, now, most)
