"""Administration of sessions: which ones are live, and ending them."""

from typing import Any, Final

from sqlalchemy import Connection

from jeton.admin import clients, users
from jeton.admin.errors import NotFoundError
from jeton.oauth.scope import format_scope
from jeton.oauth.sessions import Family
from jeton.storage.families import load_families
from jeton.storage.family_ends import end_families
from jeton.storage.family_lists import list_families
from jeton.storage.users import load_users

_REASON: Final = "revoked_by_operator"


def list_live(
    connection: Connection, now: int, *, username: str | None = None, client_id: str | None = None
) -> list[dict[str, Any]]:
    """Return at most 1,000 live sessions as JSON members, the last used first; of one user, one client, or all.

    Raise NotFoundError if there is no such user or client.
    """
    sub = None if username is None else users.find(connection, username).sub
    if client_id is not None:
        clients.find(connection, client_id)
    families = list_families(connection, now, sub=sub, client_id=client_id)
    owners = load_users(connection, {it.sub for it in families})
    return [_describe(it, owners[it.sub].username if it.sub in owners else None) for it in families]


def revoke(connection: Connection, now: int, sid: str) -> int:
    """End a session. Return 1, or 0 if it had ended before. Raise NotFoundError if there is none."""
    if not load_families(connection, [sid]):
        raise NotFoundError("session", sid)
    return end_families(connection, now, _REASON, sid=sid)


def revoke_of_user(connection: Connection, now: int, username: str) -> int:
    """End all sessions of a user. Return their number. Raise NotFoundError if there is no such user."""
    return end_families(connection, now, _REASON, sub=users.find(connection, username).sub)


def revoke_of_client(connection: Connection, now: int, client_id: str) -> int:
    """End all sessions with a client. Return their number. Raise NotFoundError if there is no such client."""
    return end_families(connection, now, _REASON, client_id=clients.find(connection, client_id).client_id)


def revoke_all(connection: Connection, now: int) -> int:
    """End every session. Return their number."""
    return end_families(connection, now, _REASON)


def _describe(family: Family, username: str | None) -> dict[str, Any]:
    return {
        "sid": family.sid,
        "username": username,
        "sub": family.sub,
        "client_id": family.client_id,
        "scope": format_scope(family.scope),
        "created_at": family.created_at,
        "last_used_at": family.rotated_at,
        "expires_at": family.expires_at,
        # Redeeming an authorization code is the first step of a family, and no refresh.
        "refreshes": family.generation - (family.code_expires_at is not None),
        "created_ip": family.created_ip,
        "created_user_agent": family.created_user_agent,
        "last_ip": family.last_ip,
        "last_user_agent": family.last_user_agent,
        "moves": family.moves,
    }
