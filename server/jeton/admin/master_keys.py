"""Administration of master keys: moving stored private keys to the newest one."""

from typing import Any

from sqlalchemy import Connection

from jeton.crypto.master_key import MasterKeys
from jeton.crypto.sealed_keys import SealedKeys
from jeton.keys.rewrap import rewrap_signing_keys
from jeton.storage.family_lists import sessions_of_older_master_keys


def rewrap(connection: Connection, now: int, master_keys: MasterKeys) -> dict[str, Any]:
    """Encrypt every stored private key with the newest master key. Return a report as JSON members.

    It says how many live sessions still need an older master key, and when the last of them ends.
    Raise MasterKeyError if a private key was encrypted with a master key that is not among these.
    """
    count = rewrap_signing_keys(connection, SealedKeys(master_keys))
    sessions, last_ends_at = sessions_of_older_master_keys(connection, now, master_keys.newest)
    return {
        "master_key_id": master_keys.newest,
        "signing_keys_sealed": count,
        "sessions_of_older_master_keys": sessions,
        "last_of_them_ends_at": last_ends_at,
    }
