"""Sessions as the database has them, by one of their refresh tokens."""

from jeton.crypto.refresh_token import parse_refresh_token
from jeton.oauth.sessions import Family
from jeton.storage.families import count_live_families, load_families
from support.in_process_server import Running


def sid_of(refresh_token: str) -> str:
    presented = parse_refresh_token(refresh_token)
    assert presented is not None
    return presented.sid


def stored_family(node: Running, refresh_token: str) -> Family | None:
    """Return the token's family, or None if it has been deleted."""
    sid = sid_of(refresh_token)
    with node.database.read() as connection:
        return load_families(connection, [sid]).get(sid)


def revoke_reason(node: Running, refresh_token: str) -> str | None:
    family = stored_family(node, refresh_token)
    assert family is not None
    return family.revoke_reason


def count_open_sessions(node: Running, sub: str) -> int:
    with node.database.read() as connection:
        return count_live_families(connection, node.clock.now(), sub)
