"""Administration of browser sessions: who is signed in, and signing them out."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from jeton.admin import users
from jeton.admin.errors import NotFoundError
from jeton.oauth.audit_events import AuditEvent, session_ended
from jeton.oauth.browser_session_rules import EndBrowserSessions, end_browser_sessions
from jeton.oauth.browser_sessions import BrowserSession
from jeton.storage.audit_trail import record
from jeton.storage.browser_sessions import (
    delete_browser_sessions,
    list_browser_sessions,
    load_browser_session,
    lock_browser_sessions,
)
from jeton.storage.clients import load_clients
from jeton.storage.families import load_sids_of_browser_sessions, lock_families, update_families
from jeton.storage.users import load_users, lock_users

_REASON: Final = "revoked_by_operator"


def list_live(connection: Connection, now: int, *, username: str | None = None) -> list[dict[str, Any]]:
    """Return at most 1,000 live browser sessions as JSON members, the last used first; of one user, or all.

    Raise NotFoundError if there is no such user.
    """
    sub = None if username is None else users.find(connection, username).sub
    sessions = list_browser_sessions(connection, now, sub)
    owners = load_users(connection, {it.sub for it in sessions})
    return [_describe(it, owners[it.sub].username) for it in sessions if it.sub in owners]


def revoke(connection: Connection, now: int, browser_session_id: str) -> EndBrowserSessions:
    """End a browser session, with the families that end with it. Raise NotFoundError if there is none."""
    found = load_browser_session(connection, browser_session_id)
    if found is None or not found.is_live(now):
        raise NotFoundError("browser-session", browser_session_id)
    return _end(connection, now, [found])


def revoke_of_user(connection: Connection, now: int, username: str) -> EndBrowserSessions:
    """End all browser sessions of a user. Raise NotFoundError if there is no such user."""
    return _end_all(connection, now, users.find(connection, username).sub)


def revoke_all(connection: Connection, now: int) -> EndBrowserSessions:
    """End the browser sessions of all users."""
    return _end_all(connection, now, None)


def _end_all(connection: Connection, now: int, sub: str | None) -> EndBrowserSessions:
    ended = EndBrowserSessions(_REASON, now)
    while batch := list_browser_sessions(connection, now, sub):
        more = _end(connection, now, batch)
        ended = EndBrowserSessions(_REASON, now, (*ended.sessions, *more.sessions), (*ended.families, *more.families))
    return ended


def _end(connection: Connection, now: int, sessions: Sequence[BrowserSession]) -> EndBrowserSessions:
    """End these sessions. Everything is locked in the order of the ledger."""
    lock_users(connection, {it.sub for it in sessions})
    ids = {it.browser_session_id for it in sessions}
    locked = lock_browser_sessions(connection, ids).rows
    sids = {sid for found in load_sids_of_browser_sessions(connection, ids).values() for sid in found}
    families = lock_families(connection, sids).rows.values()
    clients = load_clients(connection, {it.client_id for it in families})
    ended = end_browser_sessions(_REASON, tuple(locked.values()), families, clients.values(), now)
    update_families(connection, ended.families)
    delete_browser_sessions(connection, ids, now)
    record(
        connection,
        *(AuditEvent("signed_out", _REASON, sub=it.sub, sid=it.browser_session_id) for it in ended.sessions),
        *(session_ended(_REASON, it.sub, it.client_id, it.sid) for it in ended.families),
    )
    return ended


def _describe(it: BrowserSession, username: str) -> dict[str, Any]:
    return {
        "browser_session_id": it.browser_session_id,
        "username": username,
        "sub": it.sub,
        "signed_in_at": it.auth_time,
        "amr": list(it.amr),
        "last_used_at": it.used_at,
        "expires_at": it.expires_at,
        "ip": it.ip,
        "user_agent": it.user_agent,
    }
