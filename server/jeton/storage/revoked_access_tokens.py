"""Statements over access tokens that were ended before their time, each forgotten after its `exp`."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from jeton.oauth.sessions import RevokedAccessToken
from jeton.storage.raw_statement import RawStatement
from jeton.storage.retention import delete_oldest
from jeton.storage.tables import ended_tokens

_LOAD = RawStatement(select(ended_tokens.c.jti).where(ended_tokens.c.jti.in_(bindparam("jtis", expanding=True))))


def insert_revoked_access_tokens(connection: Connection, ended: Iterable[RevokedAccessToken]) -> None:
    """Notes them; one that is noted already stays noted."""
    # In one order everywhere, so that two servers that end the same tokens never wait for each other in a ring.
    rows = [{"jti": token.jti, "expires_at": token.expires_at} for token in sorted(ended, key=lambda it: it.jti)]
    if rows:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        connection.execute(dialect.insert(ended_tokens).on_conflict_do_nothing(), rows)


def load_revoked_access_tokens(connection: Connection, jtis: Collection[str]) -> set[str]:
    """Those of these that were ended."""
    return {jti for (jti,) in _LOAD.rows(connection, jtis=jtis)} if jtis else set()


def delete_expired_access_tokens(connection: Connection, now: int, limit: int) -> int:
    """Deletes those whose token has expired by itself."""
    return delete_oldest(
        connection, ended_tokens.c.jti, ended_tokens.c.expires_at, ended_tokens.c.expires_at <= now, limit
    )
