"""Re-encryption of the stored signing keys under a newer master key."""

from sqlalchemy import Connection

from jeton.crypto.sealed_keys import SealedKeys
from jeton.frozen import replace
from jeton.oauth.audit_events import AuditEvent
from jeton.storage.audit_trail import record
from jeton.storage.signing_keys import load_signing_keys, lock_signing_keys, update_signing_keys


def rewrap_signing_keys(connection: Connection, sealed_keys: SealedKeys) -> int:
    """Encrypt every stored private key under the newest master key. Return their number.

    Raise MasterKeyError if one cannot be decrypted; the caller rolls back. Refresh tokens are derived, not stored: they
    stay with the master key that they were derived from.
    """
    lock_signing_keys(connection)
    sealed = [key for key in load_signing_keys(connection) if key.store == sealed_keys.name and key.private_part]
    update_signing_keys(connection, [replace(key, private_part=sealed_keys.reseal(key)) for key in sealed])
    record(connection, AuditEvent("signing_keys_rewrapped", "rewrapped"))
    return len(sealed)
