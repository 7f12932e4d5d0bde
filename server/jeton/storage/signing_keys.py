"""SQL statements on signing keys. Those that sign only ID tokens have a table of their own."""

from collections.abc import Collection, Iterable
from typing import Final

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, literal, select, text, union_all, update

from jeton.rules.key_lifecycle import ACCESS_TOKENS, KeyState, SigningKey
from jeton.storage.advisory_locks import AdvisoryLock, acquire
from jeton.storage.raw_statement import RawStatement
from jeton.storage.tables import clients, id_token_keys, signing_keys

# A process that stalls during a change is rolled back, so that the times it writes are right when others read them.
_SET_IDLE_TIMEOUT: Final = text("SET LOCAL idle_in_transaction_session_timeout = 2000")
_TABLES: Final = (signing_keys, id_token_keys)
_ALL: Final = union_all(
    select(signing_keys, literal(ACCESS_TOKENS)), select(id_token_keys, id_token_keys.c.algorithm)
).order_by("created_at", "kid")
_PUBLISHED: Final = RawStatement(
    select(signing_keys.c.kid).where(
        signing_keys.c.kid.in_(bindparam("kids", expanding=True)),
        signing_keys.c.state != KeyState.REVOKED,
        signing_keys.c.gone_at.is_(None) | (signing_keys.c.gone_at > bindparam("now")),
    )
)
_LONGEST: Final = select(func.max(clients.c.lifetimes["access_seconds"].as_integer()))
_RECORD_TOKEN_LIFETIME: Final = [
    update(table)
    .where(table.c.state == KeyState.ACTIVE, table.c.longest_seconds < bindparam("seconds"))
    .values(longest_seconds=bindparam("seconds"))
    for table in _TABLES
]


def lock_signing_keys(connection: Connection) -> None:
    """Let only this transaction change signing keys until it ends."""
    acquire(connection, AdvisoryLock.SIGNING_KEYS)
    if connection.dialect.name == "postgresql":
        connection.execute(_SET_IDLE_TIMEOUT)


def load_signing_keys(connection: Connection) -> list[SigningKey]:
    """Return the signing keys of all series, oldest first."""
    found = connection.execute(_ALL)
    return [SigningKey(row[0], row[1], row[2], row[3], row[4], KeyState(row[5]), *row[6:]) for row in found]


def load_published_kids(connection: Connection, kids: Collection[str], now: int) -> set[str]:
    """Return those keys of access tokens that are in the published key set now."""
    return {kid for (kid,) in _PUBLISHED.rows(connection, kids=kids, now=now)} if kids else set()


def longest_client_seconds(connection: Connection) -> int:
    """Return the longest access token lifetime set for a client, in seconds; 0 if none is set."""
    return connection.scalar(_LONGEST) or 0


def record_token_lifetime(connection: Connection, seconds: int) -> None:
    """Record in the active keys that tokens live this long, so that they are published long enough.

    Must be committed before any such token is signed.
    """
    lock_signing_keys(connection)
    for statement in _RECORD_TOKEN_LIFETIME:
        connection.execute(statement, {"seconds": seconds})


def has_signing_keys(connection: Connection) -> bool:
    return bool(connection.scalar(select(func.count()).select_from(signing_keys)))


def insert_signing_keys(connection: Connection, keys: Iterable[SigningKey]) -> None:
    for key in keys:
        connection.execute(insert(_table_of(key)).values(_values(key)))


def update_signing_keys(connection: Connection, keys: Iterable[SigningKey]) -> None:
    """Update keys in this order: the key that stops signing before the one that starts. Delete those that are gone."""
    for key in keys:
        table = _table_of(key)
        if key.state is KeyState.GONE:
            connection.execute(delete(table).where(table.c.kid == key.kid))
        else:
            connection.execute(update(table).where(table.c.kid == key.kid).values(_values(key)))


def delete_signing_keys(connection: Connection, kids: Collection[str]) -> None:
    for table in _TABLES:
        connection.execute(delete(table).where(table.c.kid.in_(kids)))


def _table_of(key: SigningKey) -> Table:
    return signing_keys if key.series == ACCESS_TOKENS else id_token_keys


def _values(key: SigningKey) -> dict[str, object]:
    return {column.name: getattr(key, column.name) for column in signing_keys.c}
