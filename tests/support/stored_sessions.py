"""Sessions in the database, found by a refresh token or by their authorization code."""

from jeton.crypto.authorization_code import parse_authorization_code
from jeton.crypto.refresh_token import parse_refresh_token
from jeton.oauth.sessions import Family
from jeton.storage.families import load_families
from jeton.storage.family_lists import count_live_families
from support.in_process_server import Running


def sid_of(token: str) -> str:
    """Return the sid of a refresh token or an authorization code."""
    presented = parse_refresh_token(token) or parse_authorization_code(token)
    assert presented is not None
    return presented.sid


def stored_family(node: Running, token: str) -> Family | None:
    """Return the token's family, or None if it has been deleted."""
    sid = sid_of(token)
    with node.database.read() as connection:
        return load_families(connection, [sid]).get(sid)


def revoke_reason(node: Running, refresh_token: str) -> str | None:
    family = stored_family(node, refresh_token)
    assert family is not None
    return family.revoke_reason


def count_open_sessions(node: Running, sub: str) -> int:
    with node.database.read() as connection:
        return count_live_families(connection, node.clock.now(), sub)
