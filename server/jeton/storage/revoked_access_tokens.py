"""SQL statements on access tokens that were revoked before they expired. Each is deleted after its `exp`."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, bindparam, select

from jeton.oauth.sessions import RevokedAccessToken
from jeton.storage.raw_statement import RawStatement
from jeton.storage.retention import delete_oldest
from jeton.storage.tables import ended_tokens
from jeton.storage.upserts import insert_into

_LOAD = RawStatement(select(ended_tokens.c.jti).where(ended_tokens.c.jti.in_(bindparam("jtis", expanding=True))))


def insert_revoked_access_tokens(connection: Connection, revoked: Iterable[RevokedAccessToken]) -> None:
    """Insert revoked tokens. One that is stored already is left as it is."""
    # In one order everywhere, so that two servers that revoke the same tokens do not deadlock.
    rows = [{"jti": token.jti, "expires_at": token.expires_at} for token in sorted(revoked, key=lambda it: it.jti)]
    if rows:
        connection.execute(insert_into(connection, ended_tokens).on_conflict_do_nothing(), rows)


def load_revoked_access_tokens(connection: Connection, jtis: Collection[str]) -> set[str]:
    """Return those that are revoked."""
    return {jti for (jti,) in _LOAD.rows(connection, jtis=jtis)} if jtis else set()


def delete_expired_access_tokens(connection: Connection, now: int, limit: int) -> int:
    """Delete at most `limit` tokens that have expired and return how many."""
    return delete_oldest(
        connection, ended_tokens.c.jti, ended_tokens.c.expires_at, ended_tokens.c.expires_at <= now, limit
    )
