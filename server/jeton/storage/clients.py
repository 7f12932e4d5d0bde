"""SQL statements on clients."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from jeton.oauth.clients import ADMINISTRATOR, Client
from jeton.storage.identifiers import IdentifierUsedError, claim_identifier, release_client_id
from jeton.storage.logout_outbox import delete_logouts_of_client
from jeton.storage.raw_statement import RawStatement
from jeton.storage.row_locks import LockedRows, LockingQuery
from jeton.storage.signing_keys import record_token_lifetime
from jeton.storage.tables import clients
from jeton.storage.upserts import insert_into

_COLUMNS = [column for column in clients.c if column is not clients.c.logo]
# What no document changes.
_ADMINISTERED: Final = frozenset({"client_id", "created_at", "disabled", "registration"})
_BY_ID = select(*_COLUMNS).where(clients.c.client_id.in_(bindparam("client_ids", expanding=True)))
_LOAD = RawStatement(_BY_ID)
# The weakest lock, which the reference of a new session to its client takes anyway. It conflicts with `lock_client`.
_LOCK_SHARED = LockingQuery(_BY_ID.order_by(clients.c.client_id), _LOAD, read=True, key_share=True)
_LOCK = select(*_COLUMNS).where(clients.c.client_id == bindparam("client_id")).with_for_update()


def load_clients(connection: Connection, client_ids: Collection[str]) -> dict[str, Client]:
    """Return clients, by client_id. Unknown ones are left out."""
    if not client_ids:
        return {}
    return {row[0]: Client(*row) for row in _LOAD.rows(connection, client_ids=client_ids)}


def lock_clients_shared(
    connection: Connection, client_ids: Collection[str], *, wait: bool = True
) -> LockedRows[str, Client]:
    """Return clients, by client_id, that no other transaction can change until this one ends.

    Must be called before any family is locked.
    """
    return _LOCK_SHARED.lock(connection, Client, wait=wait, client_ids=client_ids)


def lock_client(connection: Connection, client_id: str) -> Client | None:
    """Return the client, locked so that no session can be opened with it, or None if there is none.

    Must be called before any family is locked.
    """
    row = connection.execute(_LOCK, {"client_id": client_id}).one_or_none()
    return None if row is None else Client(*row)


def has_clients(connection: Connection) -> bool:
    """Return whether there is any client."""
    return connection.scalar(select(clients.c.client_id).limit(1)) is not None


def list_clients(connection: Connection) -> list[Client]:
    return [Client(*row) for row in connection.execute(select(*_COLUMNS).order_by(clients.c.client_id))]


def list_unregistered_clients(connection: Connection, after: str, limit: int) -> list[Client]:
    """Return the clients that no administrator registered and whose client_id follows this one, at most `limit`."""
    wanted = select(*_COLUMNS).where(clients.c.registration != ADMINISTRATOR, clients.c.client_id > after)
    return [Client(*row) for row in connection.execute(wanted.order_by(clients.c.client_id).limit(limit))]


def insert_client(connection: Connection, client: Client) -> None:
    """Add the client; raise IdentifierUsedError if the `client_id` is not new."""
    claim_identifier(connection, client.client_id)
    _extend_key_lifetime(connection, client.lifetimes)
    connection.execute(insert(clients).values({it.name: getattr(client, it.name) for it in _COLUMNS}))


def save_clients(connection: Connection, changed: Iterable[Client]) -> None:
    """Insert clients that their metadata documents describe, or update them; in one order, so as not to deadlock.

    The identifier is claimed even if it was used before: it is the URL of its owner, and never the `sub` of a token.
    """
    for client in sorted(changed, key=lambda it: it.client_id):
        with suppress(IdentifierUsedError):
            claim_identifier(connection, client.client_id)
        values = {it.name: getattr(client, it.name) for it in _COLUMNS}
        new = insert_into(connection, clients).values(**values)
        replaced = {name: new.excluded[name] for name in values.keys() - _ADMINISTERED}
        # An administrator may have added the client since it was found to have no row.
        is_same = clients.c.registration == new.excluded.registration
        connection.execute(new.on_conflict_do_update(index_elements=["client_id"], set_=replaced, where=is_same))


def update_client(connection: Connection, client_id: str, **values: Any) -> None:
    _extend_key_lifetime(connection, values.get("lifetimes", {}))
    connection.execute(update(clients).where(clients.c.client_id == client_id).values(**values))


def save_client_changes(connection: Connection, before: Client, after: Client) -> list[str]:
    """Store the fields that differ, so that concurrent changes of others are kept. Return their names, in order."""
    names = [it for it in Client.__struct_fields__ if getattr(after, it) != getattr(before, it)]
    if names:
        update_client(connection, before.client_id, **{name: getattr(after, name) for name in names})
    return sorted(names)


def _extend_key_lifetime(connection: Connection, lifetimes: Mapping[str, int]) -> None:
    """Keep signing keys for longer before any token can live longer."""
    if "access_seconds" in lifetimes:
        record_token_lifetime(connection, lifetimes["access_seconds"])


def delete_client(connection: Connection, client_id: str) -> None:
    """Delete the client, and the sessions of its users with it."""
    delete_logouts_of_client(connection, client_id)
    connection.execute(delete(clients).where(clients.c.client_id == client_id))
    release_client_id(connection, client_id)


def load_logo(connection: Connection, client_id: str) -> bytes | None:
    """Return the client's logo, of its `logo_type`, or None if it has none."""
    found: bytes | None = connection.scalar(select(clients.c.logo).where(clients.c.client_id == client_id))
    return found


def update_logo(connection: Connection, client_id: str, logo: bytes | None, logo_type: str | None) -> None:
    """Store the client's logo; with None, remove it."""
    update_client(connection, client_id, logo=logo, logo_type=logo_type)
