"""Statements over signing keys."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update

from jeton.oauth.key_life import KeyState, SigningKey
from jeton.storage.tables import signing_keys

# Any number will do, as long as nothing else of ours locks the same.
_LOCK_NUMBER = 7_461_001
_PUBLISHED = select(signing_keys.c.kid).where(
    signing_keys.c.kid.in_(bindparam("kids", expanding=True)),
    signing_keys.c.publish_until.is_(None) | (signing_keys.c.publish_until > bindparam("now")),
)


def lock_signing_keys(connection: Connection) -> None:
    """One process at a time changes keys, until its transaction ends. On SQLite every writer is alone anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})


def load_signing_keys(connection: Connection) -> list[SigningKey]:
    """All that are stored, oldest first."""
    found = connection.execute(select(signing_keys).order_by(signing_keys.c.created_at, signing_keys.c.kid))
    return [SigningKey(row[0], row[1], row[2], row[3], row[4], KeyState(row[5]), *row[6:]) for row in found]


def load_published_kids(connection: Connection, kids: Collection[str], now: int) -> set[str]:
    """Those of these that are in the key set at this moment."""
    return set(connection.scalars(_PUBLISHED, {"kids": list(kids), "now": now})) if kids else set()


def has_signing_keys(connection: Connection) -> bool:
    return bool(connection.scalar(select(func.count()).select_from(signing_keys)))


def add_signing_keys(connection: Connection, keys: Iterable[SigningKey]) -> None:
    for key in keys:
        connection.execute(insert(signing_keys).values(_values(key)))


def update_signing_keys(connection: Connection, keys: Iterable[SigningKey]) -> None:
    for key in keys:
        connection.execute(update(signing_keys).where(signing_keys.c.kid == key.kid).values(_values(key)))


def forget_signing_keys(connection: Connection, now: int) -> int:
    """Deletes keys that have left the key set."""
    return connection.execute(delete(signing_keys).where(signing_keys.c.publish_until <= now)).rowcount


def _values(key: SigningKey) -> dict[str, object]:
    return {column.name: getattr(key, column.name) for column in signing_keys.c}
