"""SQL statements that end and delete families, one row per session: many at once, outside the ledger."""

from typing import Final

from sqlalchemy import Connection, Select, Text, literal, literal_column, select, type_coerce, update

from jeton.oauth.audit_events import session_ended
from jeton.rules.key_lifecycle import CLOCK_SKEW_SECONDS
from jeton.storage.audit_trail import record
from jeton.storage.families import IS_SESSION
from jeton.storage.family_lists import selected_by
from jeton.storage.retention import delete_oldest
from jeton.storage.revoked_statuses import delete_revoked_statuses, insert_selected_statuses
from jeton.storage.tables import families

_BATCH: Final = 5000


def end_families(
    connection: Connection,
    now: int,
    reason: str,
    *,
    sid: str | None = None,
    sub: str | None = None,
    client_id: str | None = None,
    audience: str | None = None,
) -> int:
    """Revoke the live families selected, or all if nothing is selected, and return how many of them were sessions.

    Their status indexes become INVALID. Families are locked in the order of their sids, as in the ledger, so that the
    two do not deadlock.
    """
    chosen = selected_by(sid, sub, client_id)
    if audience is not None:
        words = literal(" ") + type_coerce(families.c.audience, Text) + " "
        chosen &= words.contains(f" {audience} ", autoescape=True)
    # By an expression, PostgreSQL sorts the sessions of the client or user. By the column, it may read all sessions in
    # the order of its index, until it has found these.
    order = families.c.sid if sub is None and client_id is None else families.c.sid.concat(literal_column("''"))
    live = select(families.c.sid, IS_SESSION, families.c.sub, families.c.client_id).where(
        chosen, families.c.revoked_at.is_(None)
    )
    ended = 0
    while True:
        found = connection.execute(live.order_by(order).limit(_BATCH).with_for_update()).all()
        if not found:
            return ended
        sids = [sid for sid, *_ in found]
        connection.execute(
            update(families).where(families.c.sid.in_(sids)).values(revoked_at=now, revoke_reason=reason)
        )
        insert_selected_statuses(connection, _status_of_living_tokens(now).where(families.c.sid.in_(sids)))
        record(connection, *(session_ended(reason, owner, client, ended_sid) for ended_sid, _, owner, client in found))
        ended += sum(is_session for _, is_session, *_ in found)


def insert_family_statuses(connection: Connection, now: int, client_id: str) -> None:
    """Make the status indexes of a disabled client's families INVALID. The client must be locked."""
    unrevoked = (families.c.client_id == client_id) & families.c.revoked_at.is_(None)
    # A refresh that is in progress commits first, so that the row has its newest access token.
    connection.execute(select(families.c.sid).where(unrevoked).order_by(families.c.sid).with_for_update()).all()
    insert_selected_statuses(connection, _status_of_living_tokens(now).where(unrevoked))


def delete_family_statuses(connection: Connection, client_id: str) -> None:
    """Make the status indexes of an enabled client's families VALID again, unless they have ended since."""
    unrevoked = (families.c.client_id == client_id) & families.c.revoked_at.is_(None)
    delete_revoked_statuses(connection, select(families.c.status_index).where(unrevoked))


def _status_of_living_tokens(now: int) -> Select[tuple[int | None, int]]:
    """Return the query for the statuses of families of which a token could still be accepted."""
    until = families.c.access_expires_at + CLOCK_SKEW_SECONDS
    return select(families.c.status_index, until).where(families.c.status_index.is_not(None), until > now)


def delete_expired_families(connection: Connection, now: int, limit: int) -> int:
    """Delete at most `limit` families past their absolute end and return how many. No token of theirs is valid."""
    return delete_oldest(
        connection, families.c.sid, families.c.absolute_expires_at, families.c.absolute_expires_at <= now, limit
    )


def delete_ended_families(connection: Connection, now: int, limit: int) -> int:
    """Delete at most `limit` ended families of which no access token can be accepted any more. Return how many.

    A replay of their refresh tokens has nothing left to revoke, and is refused like any unknown token.
    """
    is_past = families.c.access_expires_at <= now - CLOCK_SKEW_SECONDS
    return delete_oldest(
        connection, families.c.sid, families.c.revoked_at, families.c.revoked_at.is_not(None) & is_past, limit
    )
