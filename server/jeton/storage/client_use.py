"""SQL statements on the use of clients that registered themselves, and the deletion of those that are not used."""

from collections.abc import Collection

from sqlalchemy import Connection, select, update

from jeton.oauth.audit_events import AuditEvent
from jeton.oauth.clients import DYNAMIC, METADATA_DOCUMENT
from jeton.storage.audit_trail import record
from jeton.storage.clients import delete_client
from jeton.storage.tables import clients, families

_CLIENT = clients.c


def record_client_use(connection: Connection, client_ids: Collection[str], now: int) -> None:
    """Record that clients are used now, except those that another transaction has locked: the next use is in time.

    Nothing waits here: families are locked already, and clients are locked before families.
    """
    # Later than the registration, which tells a client that is used from one that never was.
    wanted = _CLIENT.client_id.in_(client_ids) & (_CLIENT.created_at < now)
    free = select(_CLIENT.client_id).where(wanted).with_for_update(skip_locked=True, key_share=True)
    if found := connection.scalars(free.order_by(_CLIENT.client_id)).all():
        connection.execute(update(clients).where(_CLIENT.client_id.in_(found)).values(last_used_at=now))


def delete_unused_clients(
    connection: Connection, now: int, limit: int, *, never_used_seconds: int, unused_seconds: int
) -> int:
    """Delete at most `limit` unregistered clients that are not used, and return how many.

    The row of a metadata document was written when a user allowed the client something, so that it was used. Kept are
    clients with a session that lives, and disabled ones: the same client would come again.
    """
    age = now - _CLIENT.last_used_at
    never_used = (_CLIENT.registration == DYNAMIC) & (_CLIENT.last_used_at == _CLIENT.created_at)
    unused = (never_used & (age >= never_used_seconds)) | (age >= unused_seconds)
    # With this condition on the column alone, its index finds them.
    due = _CLIENT.last_used_at <= now - min(never_used_seconds, unused_seconds)
    is_live = families.c.revoked_at.is_(None) & (families.c.idle_expires_at > now)
    # With a limit, PostgreSQL looks for a session of each of these clients, and does not join all sessions.
    live = select(families.c.sid).where(families.c.client_id == _CLIENT.client_id, is_live).limit(1).scalar_subquery()
    is_unregistered = _CLIENT.registration.in_((DYNAMIC, METADATA_DOCUMENT))
    deletable = is_unregistered & _CLIENT.disabled.is_(False) & due & unused & live.is_(None)
    oldest = select(_CLIENT.client_id).where(deletable).order_by(_CLIENT.last_used_at).limit(limit)
    found = connection.scalars(oldest.with_for_update(skip_locked=True, of=clients)).all()
    for client_id in sorted(found):
        delete_client(connection, client_id)
        record(connection, AuditEvent("client_deleted", "unused", client_id=client_id))
    return len(found)
