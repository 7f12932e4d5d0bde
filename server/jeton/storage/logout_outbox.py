"""SQL statements on the logout outbox: one row for each client of a browser session that has ended."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, insert, literal, select, tuple_, update

from jeton.oauth.backchannel_logout import KEPT_SECONDS, BackchannelLogout
from jeton.oauth.clients import ADMINISTRATOR
from jeton.storage.limited_counts import count_up_to
from jeton.storage.list_limit import MAX_LISTED
from jeton.storage.tables import browser_session_clients, clients, logout_outbox

_KEY: Final = (logout_outbox.c.browser_session_id, logout_outbox.c.client_id)
# Rows of one user, each kept for up to a week. Beyond them, only clients of administrators are told.
MAX_OF_USER: Final = 1000


def insert_logouts(connection: Connection, ended: Mapping[str, str], now: int) -> None:
    """Insert a row for each client that wants to know of the end of these browser sessions, given with their users.

    Must be called in the transaction that deletes them, before it does, with their users locked. Beyond MAX_OF_USER,
    clients that no administrator registered are left out: a user may have any number of these.
    """
    of_ended = browser_session_clients.c.browser_session_id.in_(ended)
    pairs = connection.execute(select(browser_session_clients).where(of_ended)).all()
    signed_in_to = clients.c.client_id.in_({client_id for _, client_id in pairs})
    has_address = clients.c.backchannel_logout_uri.is_not(None)
    wanted = select(clients.c.client_id, clients.c.registration).where(signed_in_to, has_address)
    registrations = {it.client_id: it.registration for it in connection.execute(wanted)} if pairs else {}
    told = [it for it in pairs if it.client_id in registrations]
    registered = [it for it in told if registrations[it.client_id] == ADMINISTRATOR]
    others = [it for it in told if registrations[it.client_id] != ADMINISTRATOR]
    at = {"created_at": now, "expires_at": now + KEPT_SECONDS, "next_attempt_at": now}
    rows = [
        {"browser_session_id": it, "client_id": client_id, "sub": ended[it], **at}
        for it, client_id in (*registered, *_within_limit(connection, others, ended))
    ]
    if rows:
        connection.execute(insert(logout_outbox), rows)


def _within_limit(connection: Connection, pairs: Sequence[Row[Any]], ended: Mapping[str, str]) -> list[Row[Any]]:
    """Return those of these pairs of browser session and unregistered client for which their user has room."""
    by_user = defaultdict[str, list[Row[Any]]](list)
    for it in pairs:
        by_user[ended[it.browser_session_id]].append(it)
    kept: list[Row[Any]] = []
    for sub, of_user in by_user.items():
        waiting = select(logout_outbox.c.sub).where(logout_outbox.c.sub == sub)
        room = MAX_OF_USER - count_up_to(connection, waiting, MAX_OF_USER)
        kept += of_user[:room]
        if dropped := len(of_user[room:]):
            # Imported late: commands that log nothing start faster.
            import structlog

            log = structlog.get_logger("jeton.logout_delivery")
            log.warning("logout_tokens_dropped", sub=sub, number=dropped)
    return kept


def has_due_logouts(connection: Connection, now: int) -> bool:
    """Return whether anything is to be sent."""
    due = select(logout_outbox.c.client_id).where(logout_outbox.c.next_attempt_at <= now).limit(1)
    return connection.scalar(due) is not None


def lock_due_logouts(
    connection: Connection, now: int, busy_clients: Collection[str], limit: int, *, only_registered: bool = False
) -> list[BackchannelLogout]:
    """Lock and return at most `limit` logouts that are due, the longest due first, but none of `busy_clients`.

    With `only_registered`, return none of clients that no administrator registered. Those that another transaction has
    locked are left out: another process is about to send them.
    """
    due = logout_outbox.c.next_attempt_at <= now
    wanted = select(logout_outbox).where(due, logout_outbox.c.client_id.not_in(busy_clients))
    if only_registered:
        registered = select(clients.c.client_id).where(clients.c.registration == ADMINISTRATOR)
        wanted = wanted.where(logout_outbox.c.client_id.in_(registered))
    ordered = wanted.order_by(logout_outbox.c.next_attempt_at).limit(limit).with_for_update(skip_locked=True)
    return [BackchannelLogout(*row) for row in connection.execute(ordered)]


def record_attempt(connection: Connection, logout: BackchannelLogout) -> None:
    """Store the number of attempts, and when the next is due, before the attempt is made: no other process makes it."""
    values = {"attempts": logout.attempts, "next_attempt_at": logout.next_attempt_at}
    connection.execute(update(logout_outbox).where(_is(logout)).values(values))


def record_outcome(connection: Connection, logout: BackchannelLogout) -> None:
    """Store what an attempt has led to, unless a later one has been begun."""
    names = ("next_attempt_at", "last_status", "delivered_at", "expires_at")
    same_attempt = logout_outbox.c.attempts == logout.attempts
    values = {name: getattr(logout, name) for name in names}
    connection.execute(update(logout_outbox).where(_is(logout), same_attempt).values(values))


def list_logouts(connection: Connection, client_id: str | None = None) -> list[BackchannelLogout]:
    """Return the logouts of one client, or of all; the newest first, 1,000 at most."""
    wanted: Select[Any] = select(logout_outbox).order_by(logout_outbox.c.expires_at.desc()).limit(MAX_LISTED)
    if client_id is not None:
        wanted = wanted.where(logout_outbox.c.client_id == client_id)
    return [BackchannelLogout(*row) for row in connection.execute(wanted)]


def restart_logouts(
    connection: Connection, now: int, *, browser_session_id: str | None = None, client_id: str | None = None
) -> int:
    """Make undelivered logouts due now, with all attempts ahead; of one browser session, one client, or all.

    Return their number.
    """
    wanted: list[ColumnElement[bool]] = [logout_outbox.c.delivered_at.is_(None)]
    if browser_session_id is not None:
        wanted.append(logout_outbox.c.browser_session_id == browser_session_id)
    if client_id is not None:
        wanted.append(logout_outbox.c.client_id == client_id)
    values = {"attempts": 0, "next_attempt_at": now, "expires_at": now + KEPT_SECONDS}
    return connection.execute(update(logout_outbox).where(*wanted).values(values)).rowcount


def delete_logouts_of_client(connection: Connection, client_id: str) -> None:
    connection.execute(delete(logout_outbox).where(logout_outbox.c.client_id == client_id))


def delete_expired_logouts(connection: Connection, now: int, limit: int) -> int:
    """Delete at most `limit` rows that are not needed any more, and return how many."""
    expires_at = logout_outbox.c.expires_at
    oldest = select(*_KEY).where(expires_at <= now).order_by(expires_at).limit(limit)
    found = [tuple(row) for row in connection.execute(oldest.with_for_update(skip_locked=True))]
    if found:
        connection.execute(delete(logout_outbox).where(tuple_(*_KEY).in_(found)))
    return len(found)


def _is(logout: BackchannelLogout) -> ColumnElement[bool]:
    return tuple_(*_KEY) == tuple_(literal(logout.browser_session_id), literal(logout.client_id))
