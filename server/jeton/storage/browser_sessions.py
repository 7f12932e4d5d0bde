"""SQL statements on browser sessions: one row per signed-in browser, and the clients that it has signed in to."""

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from jeton.oauth.browser_sessions import BrowserSession
from jeton.storage.raw_statement import RawStatement
from jeton.storage.row_locks import LockedRows, LockingQuery
from jeton.storage.tables import browser_session_clients, browser_sessions

_BY_ID = select(browser_sessions).where(
    browser_sessions.c.browser_session_id.in_(bindparam("browser_session_ids", expanding=True))
)
_LOAD = RawStatement(_BY_ID)
_LOCK = LockingQuery(_BY_ID.order_by(browser_sessions.c.browser_session_id), _LOAD, key_share=True)


def lock_browser_sessions(
    connection: Connection, browser_session_ids: Collection[str], *, wait: bool = True
) -> LockedRows[str, BrowserSession]:
    """Lock browser sessions in the order of their ids and return them. Must be called before any family is locked."""
    return _LOCK.lock(connection, BrowserSession, wait=wait, browser_session_ids=browser_session_ids)


def insert_browser_session_clients(connection: Connection, pairs: Collection[tuple[str, str]]) -> None:
    """Record the clients that browser sessions have signed in to, as (browser_session_id, client_id)."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    rows = [{"browser_session_id": it, "client_id": client_id} for it, client_id in sorted(pairs)]
    connection.execute(dialect.insert(browser_session_clients).on_conflict_do_nothing(), rows)
