"""Sealing what is stored anew, when there is a newer master key."""

from dataclasses import replace

from sqlalchemy import Connection

from jeton.crypto.sealed_keys import SealedKeys
from jeton.storage.signing_keys import load_signing_keys, lock_signing_keys, update_signing_keys


def rewrap_signing_keys(connection: Connection, sealed_keys: SealedKeys) -> int:
    """Seals every stored private part under the newest master key; says how many.

    MasterKeyError, and nothing changed, where one does not open. Only signing keys are sealed: refresh tokens are
    derived, and stay with the master key that they were derived under.
    """
    lock_signing_keys(connection)
    sealed = [key for key in load_signing_keys(connection) if key.store == sealed_keys.name and key.private_part]
    update_signing_keys(connection, [replace(key, private_part=sealed_keys.resealed(key)) for key in sealed])
    return len(sealed)
