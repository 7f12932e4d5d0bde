"""SQL statements on initial access tokens (RFC 7591 section 3)."""

from sqlalchemy import Connection, delete, insert, select, update

from jeton.frozen import asdict
from jeton.oauth.registration.initial_access_tokens import InitialAccessToken
from jeton.storage.retention import delete_oldest
from jeton.storage.tables import initial_access_tokens

_TOKEN = initial_access_tokens.c


def insert_initial_access_token(connection: Connection, token: InitialAccessToken) -> None:
    connection.execute(insert(initial_access_tokens).values(**asdict(token)))


def find_initial_access_token(connection: Connection, digest: bytes) -> InitialAccessToken | None:
    """Return the token with this digest, or None if there is none."""
    row = connection.execute(select(initial_access_tokens).where(_TOKEN.digest == digest)).one_or_none()
    return None if row is None else InitialAccessToken(*row)


def list_initial_access_tokens(connection: Connection) -> list[InitialAccessToken]:
    """Return all tokens, those that were created last first."""
    ordered = select(initial_access_tokens).order_by(_TOKEN.created_at.desc(), _TOKEN.token_id)
    return [InitialAccessToken(*row) for row in connection.execute(ordered)]


def spend_initial_access_token(connection: Connection, token_id: str, now: int) -> bool:
    """Count one use. Return whether the token had one left."""
    usable = (_TOKEN.token_id == token_id) & (_TOKEN.uses < _TOKEN.max_uses) & (_TOKEN.expires_at > now)
    spent = update(initial_access_tokens).where(usable).values(uses=_TOKEN.uses + 1)
    return connection.execute(spent).rowcount == 1


def delete_initial_access_token(connection: Connection, token_id: str) -> bool:
    """Delete the token. Return whether there was one."""
    return connection.execute(delete(initial_access_tokens).where(_TOKEN.token_id == token_id)).rowcount == 1


def delete_expired_initial_access_tokens(connection: Connection, now: int, limit: int) -> int:
    """Delete at most `limit` expired tokens and return how many."""
    return delete_oldest(connection, _TOKEN.token_id, _TOKEN.expires_at, _TOKEN.expires_at <= now, limit)
