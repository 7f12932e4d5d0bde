"""Statements over the buckets of failures. Keys are digests, of constant length: no row names anybody."""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from jeton.oauth.throttling import Bucket
from jeton.storage.forgetting import forget_past
from jeton.storage.tables import throttle_buckets as buckets

_VALUES: Final = (buckets.c.due, buckets.c.failures, buckets.c.expires_at)
_LIVING = select(buckets.c.key).where(
    buckets.c.key.in_(bindparam("keys", expanding=True)), buckets.c.expires_at > bindparam("now")
)
_DELETE = delete(buckets).where(buckets.c.key.in_(bindparam("keys", expanding=True)))
_STORE = (
    update(buckets)
    .where(buckets.c.key == bindparam("at_key"))
    .values({column.name: bindparam(f"new_{column.name}") for column in _VALUES})
)


def load_living_keys(connection: Connection, keys: Collection[bytes], now: int) -> set[bytes]:
    """Those of these that hold something, unlocked."""
    return set(connection.scalars(_LIVING, {"keys": list(keys), "now": now})) if keys else set()


def lock_buckets(connection: Connection, keys: Collection[bytes], now: int) -> dict[bytes, Bucket]:
    """Those buckets, made where they are missing and locked in the order of their keys until the transaction ends.

    One statement that locks and looks: what it gives is what is in the row once the lock is held.
    """
    if not keys:
        return {}
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(buckets)
    lock = insert.on_conflict_do_update(index_elements=[buckets.c.key], set_={"due": buckets.c.due})
    rows = [{"key": key, "due": 0, "failures": 0, "expires_at": now} for key in sorted(keys)]
    found = connection.execute(lock.returning(buckets.c.key, *_VALUES), rows)
    return {key: Bucket(*values) if values[-1] > now else Bucket() for key, *values in found}


def store_buckets(connection: Connection, changed: Mapping[bytes, Bucket], now: int) -> None:
    """Writes locked ones; those that hold nothing are deleted."""
    rows = [
        {"at_key": key, "new_due": it.due, "new_failures": it.failures, "new_expires_at": it.expires_at}
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
