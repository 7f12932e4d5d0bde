"""SQL statements on rate limit buckets. Keys are digests of constant length: no row has a user name or an address."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, select, update

from jeton.rules.rate_limit_policies import Bucket
from jeton.storage.retention import delete_oldest
from jeton.storage.row_locks import LockedRows
from jeton.storage.tables import throttle_buckets as buckets
from jeton.storage.upserts import insert_into

_VALUES: Final = (
    buckets.c.due,
    buckets.c.failures,
    buckets.c.expires_at,
    buckets.c.pending,
    buckets.c.pending_until,
)
# By keys alone: with another condition, PostgreSQL may use the index on `expires_at` and read all unexpired rows.
_LOAD = select(buckets.c.key, *_VALUES).where(buckets.c.key.in_(bindparam("keys", expanding=True)))
_LOCK_FREE = (
    select(buckets.c.key, *_VALUES)
    .where(buckets.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(buckets.c.key)
    .with_for_update(skip_locked=True)
)
_DELETE = delete(buckets).where(buckets.c.key.in_(bindparam("keys", expanding=True)))
_STORE = (
    update(buckets)
    .where(buckets.c.key == bindparam("at_key"))
    .values({column.name: bindparam(f"new_{column.name}") for column in _VALUES})
)


def load_buckets(connection: Connection, keys: Collection[bytes], now: int) -> dict[bytes, Bucket]:
    """Return the buckets that have not expired. Takes no lock."""
    rows = connection.execute(_LOAD, {"keys": list(keys)}) if keys else ()
    found = {key: Bucket(*values) for key, *values in rows}
    return {key: bucket.at(now) for key, bucket in found.items() if bucket.expires_at > now}


def lock_buckets(
    connection: Connection, keys: Collection[bytes], now: int, *, wait: bool = True
) -> LockedRows[bytes, Bucket]:
    """Return the buckets, locked in the order of their keys until the transaction ends. Missing ones are inserted."""
    if not keys:
        return LockedRows({})
    rows = list((_lock_or_insert_all if wait else _lock_or_insert_free)(connection, keys, now))
    found = {key: Bucket(*values).at(now) for key, *values in rows}
    return LockedRows(found, frozenset(keys) - found.keys())


def _lock_or_insert_all(connection: Connection, keys: Collection[bytes], now: int) -> Iterable[Sequence[Any]]:
    """Lock and read in one statement: it returns what is in the row once the lock is held."""
    new = insert_into(connection, buckets)
    lock = new.on_conflict_do_update(index_elements=[buckets.c.key], set_={"due": buckets.c.due})
    return connection.execute(lock.returning(buckets.c.key, *_VALUES), _empty(keys, now))


def _lock_or_insert_free(connection: Connection, keys: Collection[bytes], now: int) -> Iterable[Sequence[Any]]:
    """Skip buckets that another transaction has locked or is deleting.

    Two statements, also if no bucket is missing: the time of an attempt must not tell whose buckets exist.
    """
    new = insert_into(connection, buckets)
    connection.execute(new.on_conflict_do_nothing(index_elements=[buckets.c.key]), _empty(keys, now))
    return connection.execute(_LOCK_FREE, {"keys": list(keys)})


def _empty(keys: Collection[bytes], now: int) -> list[dict[str, Any]]:
    empty = {"due": 0, "failures": 0, "expires_at": now, "pending": 0, "pending_until": 0}
    return [{"key": key, **empty} for key in sorted(keys)]


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


def delete_expired_buckets(connection: Connection, now: int, limit: int) -> int:
    """Delete at most `limit` expired buckets and return how many."""
    return delete_oldest(connection, buckets.c.key, buckets.c.expires_at, buckets.c.expires_at <= now, limit)
