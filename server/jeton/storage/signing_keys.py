"""SQL statements on signing keys."""

from collections.abc import Collection, Iterable
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update

from jeton.rules.key_lifecycle import KeyState, SigningKey
from jeton.storage.raw_statement import RawStatement
from jeton.storage.tables import clients, signing_keys

# Any number that no other advisory lock of the server uses.
_LOCK: Final = text("SELECT pg_advisory_xact_lock(7461001)")
# A process that stalls during a change is rolled back, so that the times it writes are right when others read them.
_SET_IDLE_TIMEOUT: Final = text("SET LOCAL idle_in_transaction_session_timeout = 2000")
_PUBLISHED: Final = RawStatement(
    select(signing_keys.c.kid).where(
        signing_keys.c.kid.in_(bindparam("kids", expanding=True)),
        signing_keys.c.state != KeyState.REVOKED,
        signing_keys.c.gone_at.is_(None) | (signing_keys.c.gone_at > bindparam("now")),
    )
)
_LONGEST: Final = select(func.max(clients.c.lifetimes["access_seconds"].as_integer()))
_RECORD_TOKEN_LIFETIME: Final = (
    update(signing_keys)
    .where(signing_keys.c.state == KeyState.ACTIVE, signing_keys.c.longest_seconds < bindparam("seconds"))
    .values(longest_seconds=bindparam("seconds"))
)


def lock_signing_keys(connection: Connection) -> None:
    """Let only this transaction change signing keys until it ends. On SQLite every writer is alone anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK)
        connection.execute(_SET_IDLE_TIMEOUT)


def load_signing_keys(connection: Connection) -> list[SigningKey]:
    """Return all signing keys, oldest first."""
    found = connection.execute(select(signing_keys).order_by(signing_keys.c.created_at, signing_keys.c.kid))
    return [SigningKey(row[0], row[1], row[2], row[3], row[4], KeyState(row[5]), *row[6:]) for row in found]


def load_published_kids(connection: Connection, kids: Collection[str], now: int) -> set[str]:
    """Return those that are in the published key set now."""
    return {kid for (kid,) in _PUBLISHED.rows(connection, kids=kids, now=now)} if kids else set()


def longest_client_seconds(connection: Connection) -> int:
    """Return the longest access token lifetime set for a client, in seconds; 0 if none is set."""
    return connection.scalar(_LONGEST) or 0


def record_token_lifetime(connection: Connection, seconds: int) -> None:
    """Record in the active key that tokens live this long, so that it is published long enough.

    Must be committed before any such token is signed.
    """
    lock_signing_keys(connection)
    connection.execute(_RECORD_TOKEN_LIFETIME, {"seconds": seconds})


def has_signing_keys(connection: Connection) -> bool:
    return bool(connection.scalar(select(func.count()).select_from(signing_keys)))


def insert_signing_keys(connection: Connection, keys: Iterable[SigningKey]) -> None:
    for key in keys:
        connection.execute(insert(signing_keys).values(_values(key)))


def update_signing_keys(connection: Connection, keys: Iterable[SigningKey]) -> None:
    """Update keys in this order: the key that stops signing before the one that starts. Delete those that are gone."""
    for key in keys:
        if key.state is KeyState.GONE:
            connection.execute(delete(signing_keys).where(signing_keys.c.kid == key.kid))
        else:
            connection.execute(update(signing_keys).where(signing_keys.c.kid == key.kid).values(_values(key)))


def delete_signing_keys(connection: Connection, kids: Collection[str]) -> None:
    connection.execute(delete(signing_keys).where(signing_keys.c.kid.in_(kids)))


def _values(key: SigningKey) -> dict[str, object]:
    return {column.name: getattr(key, column.name) for column in signing_keys.c}
