"""Changes of the settings that reach clients which nobody registered: what they may have at most."""

from dataclasses import fields
from typing import Any

from sqlalchemy import Connection

from jeton.oauth.audit_events import AuditEvent
from jeton.oauth.clients import Client
from jeton.oauth.registration_ceiling import RegistrationCeiling, within_ceiling
from jeton.storage.audit_trail import record
from jeton.storage.clients import list_unregistered_clients, lock_client, update_client
from jeton.storage.families import end_families


def clients_beyond(connection: Connection, ceiling: RegistrationCeiling) -> list[str]:
    """Return the ids of the clients whose rows differ from what the ceiling allows now, in order."""
    return [it.client_id for it in list_unregistered_clients(connection) if within_ceiling(it, ceiling) != it]


def apply_ceiling(connection: Connection, now: int, client_id: str, ceiling: RegistrationCeiling) -> None:
    """Give the client what the ceiling allows. Sessions that were granted a resource which is no longer open end."""
    before = lock_client(connection, client_id)
    if before is None:
        return
    after = within_ceiling(before, ceiling)
    names = (it.name for it in fields(Client))
    changes: dict[str, Any] = {it: getattr(after, it) for it in names if getattr(after, it) != getattr(before, it)}
    if changes:
        update_client(connection, client_id, **changes)
        record(connection, AuditEvent("client_changed", " ".join(sorted(changes)), client_id=client_id))
    for uri in set(before.resources) - set(after.resources):
        end_families(connection, now, "resource_closed", client_id=client_id, audience=uri)
