"""SQL statements on browser sessions: one row per signed-in browser, and the clients that it has signed in to."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, update

from jeton.oauth.browser_sessions import BrowserSession
from jeton.storage.list_limit import MAX_LISTED
from jeton.storage.logout_outbox import insert_logouts
from jeton.storage.raw_statement import RawStatement
from jeton.storage.retention import delete_oldest
from jeton.storage.row_locks import LockedRows, LockingQuery
from jeton.storage.tables import browser_session_clients, browser_sessions
from jeton.storage.upserts import insert_into

_BY_ID = select(browser_sessions).where(
    browser_sessions.c.browser_session_id.in_(bindparam("browser_session_ids", expanding=True))
)
_LOAD = RawStatement(_BY_ID)
_LOCK = LockingQuery(_BY_ID.order_by(browser_sessions.c.browser_session_id), _LOAD, key_share=True)
# Not by `idle_expires_at`, whose index PostgreSQL might use to read the live ones of all users.
_OF_USERS = RawStatement(
    select(browser_sessions.c.sub, browser_sessions.c.browser_session_id, browser_sessions.c.idle_expires_at).where(
        browser_sessions.c.sub.in_(bindparam("subs", expanding=True))
    )
)
_BATCH: Final = 1000


def find_browser_sessions(connection: Connection, digests: Collection[bytes]) -> dict[bytes, BrowserSession]:
    """Return browser sessions, by the digest of their secret. Unknown ones are left out."""
    if not digests:
        return {}
    wanted = select(browser_sessions).where(browser_sessions.c.secret_digest.in_(digests))
    return {row.secret_digest: BrowserSession(*row) for row in connection.execute(wanted)}


def load_browser_session(connection: Connection, browser_session_id: str) -> BrowserSession | None:
    """Return the browser session, or None if there is none."""
    found = _LOAD.rows(connection, browser_session_ids=[browser_session_id])
    return next((BrowserSession(*row) for row in found), None)


def lock_browser_sessions(
    connection: Connection, browser_session_ids: Collection[str], *, wait: bool = True
) -> LockedRows[str, BrowserSession]:
    """Lock browser sessions in the order of their ids and return them. Must be called before any family is locked."""
    return _LOCK.lock(connection, BrowserSession, wait=wait, browser_session_ids=browser_session_ids)


def load_browser_session_ids(connection: Connection, now: int, subs: Collection[str]) -> dict[str, list[str]]:
    """Return the ids of the live browser sessions of users, by sub. Users without one are left out."""
    found = defaultdict[str, list[str]](list)
    for sub, browser_session_id, idle_expires_at in _OF_USERS.rows(connection, subs=subs) if subs else ():
        if now < idle_expires_at:
            found[sub].append(browser_session_id)
    return found


def insert_browser_session_clients(connection: Connection, pairs: Collection[tuple[str, str]]) -> None:
    """Record the clients that browser sessions have signed in to, as (browser_session_id, client_id)."""
    rows = [{"browser_session_id": it, "client_id": client_id} for it, client_id in sorted(pairs)]
    connection.execute(insert_into(connection, browser_session_clients).on_conflict_do_nothing(), rows)


def list_browser_sessions(connection: Connection, now: int, sub: str | None = None) -> list[BrowserSession]:
    """Return the live browser sessions of a user, or of all; the last used first, 1,000 at most."""
    live: ColumnElement[bool] = browser_sessions.c.idle_expires_at > now
    if sub is not None:
        # Not by the index of the idle end, which PostgreSQL might use to read the live ones of all users.
        live = (browser_sessions.c.idle_expires_at + 0 > now) & (browser_sessions.c.sub == sub)
    wanted = select(browser_sessions).where(live).order_by(browser_sessions.c.used_at.desc()).limit(MAX_LISTED)
    return [BrowserSession(*row) for row in connection.execute(wanted)]


def save_browser_sessions(
    connection: Connection, sessions: Iterable[BrowserSession], stored: Mapping[str, BrowserSession]
) -> None:
    """Insert new browser sessions and update changed ones. `stored` are the rows as they were read."""
    for session in sessions:
        values = {column.name: getattr(session, column.name) for column in browser_sessions.c}
        if session.browser_session_id in stored:
            at = browser_sessions.c.browser_session_id == session.browser_session_id
            connection.execute(update(browser_sessions).where(at).values(values))
        else:
            connection.execute(insert(browser_sessions).values(values))


def record_use(connection: Connection, uses: Iterable[tuple[str, int, int]]) -> None:
    """Store when browser sessions were used, and when they expire without further use, as (id, used, expires)."""
    for browser_session_id, used_at, idle_expires_at in uses:
        at = browser_sessions.c.browser_session_id == browser_session_id
        connection.execute(update(browser_sessions).where(at).values(used_at=used_at, idle_expires_at=idle_expires_at))


def delete_browser_sessions(connection: Connection, ids: Collection[str], now: int) -> None:
    """End browser sessions, whose users are locked. Their clients are notified later (logout_outbox.py)."""
    _end(connection, browser_sessions.c.browser_session_id.in_(ids), now)


def expire_browser_sessions(connection: Connection, ids: Collection[str]) -> None:
    """Delete browser sessions as if they had expired: no client is notified."""
    connection.execute(delete(browser_sessions).where(browser_sessions.c.browser_session_id.in_(ids)))


def delete_browser_sessions_of(connection: Connection, owners: Sequence[tuple[str, str | None]], now: int) -> None:
    """End the browser sessions of users, given as (sub, id to keep or None), like `delete_browser_sessions`."""
    for sub, keep in owners:
        others = browser_sessions.c.sub == sub
        if keep is not None:
            others &= browser_sessions.c.browser_session_id != keep
        _end(connection, others, now)


def _end(connection: Connection, which: ColumnElement[bool], now: int) -> None:
    """End these browser sessions, by key and a limited number at a time."""
    key = browser_sessions.c.browser_session_id
    some = select(key, browser_sessions.c.sub).where(which).limit(_BATCH)
    while ended := {row[0]: row[1] for row in connection.execute(some)}:
        insert_logouts(connection, ended, now)
        connection.execute(delete(browser_sessions).where(key.in_(ended)))


def delete_expired_browser_sessions(connection: Connection, now: int, limit: int) -> int:
    """Delete at most `limit` browser sessions that have expired and return how many.

    No family ends by this, and no client is notified: the user has not signed out. The idle end of a session is never
    later than its absolute end.
    """
    idle = browser_sessions.c.idle_expires_at
    return delete_oldest(connection, browser_sessions.c.browser_session_id, idle, idle <= now, limit)
