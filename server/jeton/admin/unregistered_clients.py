"""Changes of the settings that reach unregistered clients: what they may have at most."""

from sqlalchemy import Connection

from jeton.admin.client_changes import save_changes
from jeton.oauth.registration_ceiling import RegistrationCeiling, within_ceiling
from jeton.storage.clients import lock_client
from jeton.storage.family_ends import end_families


def apply_ceiling(connection: Connection, now: int, client_id: str, ceiling: RegistrationCeiling) -> None:
    """Give the client what the ceiling allows. Sessions that were granted a resource which is no longer open end."""
    before = lock_client(connection, client_id)
    if before is None:
        return
    after = within_ceiling(before, ceiling)
    save_changes(connection, before, after)
    for uri in set(before.resources) - set(after.resources):
        end_families(connection, now, "resource_closed", client_id=client_id, audience=uri)
