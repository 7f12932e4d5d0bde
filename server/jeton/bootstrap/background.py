"""The background work of a server process."""

from jeton.admin.audit_checkpoints import AuditRetention
from jeton.background.audit_retention import audit_deletion
from jeton.background.current_ceiling import CurrentCeiling
from jeton.background.key_refresh import KeyRefresh
from jeton.background.logout_delivery import MAX_CONCURRENT, LogoutDelivery
from jeton.background.maintenance import Maintenance
from jeton.background.measurements import Measurements
from jeton.background.purge import Deletion, Purge
from jeton.background.shared_state import SharedState
from jeton.bootstrap.clients import outbound_clients
from jeton.bootstrap.from_settings import deletion_of_unused_clients
from jeton.bootstrap.signing_keys import key_times
from jeton.bootstrap.storage import Storage
from jeton.config.settings import Settings
from jeton.crypto.audit_checkpoint import CheckpointKeys
from jeton.crypto.master_key import MasterKeys
from jeton.endpoints.status_lists import StatusLists
from jeton.frozen import Frozen
from jeton.keys.key_rotation import KeyRotation
from jeton.keys.keyring import Keyring
from jeton.storage.clock import Clock
from jeton.storage.task_thread import TaskThread


class Background(Frozen):
    """The work, and the state of it that endpoints read."""

    keys: KeyRefresh
    shared_state: SharedState
    purge: Purge
    maintenance: Maintenance
    measurements: Measurements
    logout_delivery: LogoutDelivery

    def close(self) -> None:
        """Finish pending work."""
        self.maintenance.close()
        self.measurements.close()
        self.logout_delivery.close()


def build_background(
    settings: Settings,
    storage: Storage,
    clock: Clock,
    master_keys: MasterKeys,
    keyring: Keyring,
    rotation: KeyRotation,
) -> Background:
    """Return the background work, with the shared state read once."""
    database, issuer = storage.database, settings.server.issuer
    thread = TaskThread("maintenance")
    keys = KeyRefresh(database, clock, keyring, rotation, thread)
    ceiling = CurrentCeiling(frozenset(settings.registration.scopes), issuer)
    status_lists = StatusLists(issuer, settings.tokens.status_ttl_seconds, keyring)
    shared_state = SharedState(
        database,
        clock,
        keys,
        storage.lookups,
        storage.replay_store,
        ceiling,
        storage.status_indexes,
        status_lists if settings.tokens.status_list else None,
    )
    shared_state.refresh()
    purge = Purge(database, clock, rotation, _deletions(settings, master_keys))
    outbound = outbound_clients(settings, max_concurrent=MAX_CONCURRENT)
    return Background(
        keys,
        shared_state,
        purge,
        Maintenance(shared_state, purge, storage.audit_backlog, thread, TaskThread("housekeeping")),
        Measurements(database, clock, key_times(settings)),
        LogoutDelivery(issuer, database, clock, keyring, outbound),
    )


def _deletions(settings: Settings, master_keys: MasterKeys) -> list[Deletion]:
    """Return the deletions that depend on settings."""
    deletions = [deletion_of_unused_clients(settings)]
    if kept_seconds := settings.audit.retention_seconds:
        deletions.append(audit_deletion(AuditRetention(CheckpointKeys(master_keys), kept_seconds)))
    return deletions
