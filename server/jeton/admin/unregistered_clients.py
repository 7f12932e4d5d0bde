"""Changes of the settings that reach unregistered clients: what they may have at most."""

from sqlalchemy import Connection

from jeton.oauth.audit_events import AuditEvent
from jeton.oauth.registration_ceiling import RegistrationCeiling, within_ceiling
from jeton.storage.audit_trail import record
from jeton.storage.clients import lock_client, save_client_changes
from jeton.storage.family_ends import end_families


def apply_ceiling(connection: Connection, now: int, client_id: str, ceiling: RegistrationCeiling) -> None:
    """Give the client what the ceiling allows. Sessions that were granted a resource which is no longer open end."""
    before = lock_client(connection, client_id)
    if before is None:
        return
    after = within_ceiling(before, ceiling)
    if changed := save_client_changes(connection, before, after):
        record(connection, AuditEvent("client_changed", " ".join(changed), client_id=client_id))
    for uri in set(before.resources) - set(after.resources):
        end_families(connection, now, "resource_closed", client_id=client_id, audience=uri)
