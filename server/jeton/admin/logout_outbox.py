"""Administration of the logout outbox: which clients were told that a browser session has ended, and telling again."""

from typing import Any

from sqlalchemy import Connection

from jeton.admin import clients
from jeton.admin.errors import AdminError
from jeton.oauth.backchannel_logout import BackchannelLogout
from jeton.storage.logout_outbox import list_logouts, restart_logouts


def list_all(connection: Connection, client_id: str | None = None) -> list[dict[str, Any]]:
    """Return at most 1,000 logouts as JSON members, of one client or all. Raise NotFoundError without such a client."""
    if client_id is not None:
        clients.find(connection, client_id)
    return [_describe(it) for it in list_logouts(connection, client_id)]


def retry(
    connection: Connection, now: int, *, browser_session_id: str | None = None, client_id: str | None = None
) -> int:
    """Let what is not delivered be sent now: of one browser session, one client, or all. Return its number.

    Raise AdminError if nothing of the browser session is left to deliver, NotFoundError if there is no such client.
    """
    if client_id is not None:
        clients.find(connection, client_id)
    restarted = restart_logouts(connection, now, browser_session_id=browser_session_id, client_id=client_id)
    if browser_session_id is not None and not restarted:
        raise AdminError(f"browser session {browser_session_id} has nothing to deliver: see `jeton outbox list`")
    return restarted


def _describe(it: BackchannelLogout) -> dict[str, Any]:
    return {
        "browser_session_id": it.browser_session_id,
        "client_id": it.client_id,
        "sub": it.sub,
        "state": it.state,
        "attempts": it.attempts,
        "last_status": it.last_status,
        "next_attempt_at": it.next_attempt_at,
        "created_at": it.created_at,
        "delivered_at": it.delivered_at,
        "expires_at": it.expires_at,
    }
