"""Creating and rotating signing keys, for the server's start and for the command line."""

from sqlalchemy import Connection

from jeton.crypto.private_key import KeyStores
from jeton.oauth.key_life import KeyState, KeyTimes, SigningKey, is_rotation_due, revoke, rotate
from jeton.storage.signing_keys import (
    add_signing_keys,
    load_signing_keys,
    lock_signing_keys,
    update_signing_keys,
)


def ensure_signing_keys(connection: Connection, stores: KeyStores, rsa_bits: int, now: int) -> list[SigningKey]:
    """The stored keys; on the first start of all, an active one and its successor are made.

    That successor may sign at once: no cache can hold a key set without it.
    """
    lock_signing_keys(connection)
    keys = load_signing_keys(connection)
    if not keys:
        keys = [
            _new_key(stores, rsa_bits, now, ready_at=now).activated(now),
            _new_key(stores, rsa_bits, now, ready_at=now),
        ]
        add_signing_keys(connection, keys)
    return keys


def rotate_signing_keys(
    connection: Connection, stores: KeyStores, rsa_bits: int, times: KeyTimes, now: int, *, force: bool
) -> list[SigningKey]:
    """`next` becomes active, the active key retires, a new `next` is published. Gives all keys as they are then."""
    changed = rotate(_opened(connection, stores), now, times, force=force)
    return _store(connection, changed, stores, rsa_bits, times, now)


def rotate_when_due(
    connection: Connection, stores: KeyStores, rsa_bits: int, times: KeyTimes, now: int
) -> list[SigningKey]:
    """Rotates where that is due by now; whoever comes second finds that it is not. Gives all keys as they are then."""
    keys = _opened(connection, stores)
    if not is_rotation_due(keys, now, times):
        return keys
    return _store(connection, rotate(keys, now, times, force=False), stores, rsa_bits, times, now)


def revoke_signing_key(
    connection: Connection, stores: KeyStores, rsa_bits: int, times: KeyTimes, now: int, kid: str
) -> list[SigningKey]:
    """The emergency path: that key leaves the key set at once. Gives all keys as they are then."""
    changed = revoke(_opened(connection, stores), kid, now)
    return _store(connection, changed, stores, rsa_bits, times, now)


def _opened(connection: Connection, stores: KeyStores) -> list[SigningKey]:
    """The stored keys, locked. MasterKeyError, KeyStoreError: one that signs or will sign does not open for us."""
    lock_signing_keys(connection)
    keys = load_signing_keys(connection)
    for key in keys:
        if key.state is not KeyState.RETIRING:
            stores.open(key)
    return keys


def _store(
    connection: Connection,
    changed: list[SigningKey],
    stores: KeyStores,
    rsa_bits: int,
    times: KeyTimes,
    now: int,
) -> list[SigningKey]:
    """Writes the changes, and publishes a new `next` where there is none left."""
    update_signing_keys(connection, changed)
    if not any(key.state is KeyState.NEXT for key in load_signing_keys(connection)):
        ready_at = now + max(times.publish_ahead_seconds, times.jwks_max_age_seconds)
        add_signing_keys(connection, [_new_key(stores, rsa_bits, now, ready_at=ready_at)])
    return load_signing_keys(connection)


def _new_key(stores: KeyStores, rsa_bits: int, now: int, *, ready_at: int) -> SigningKey:
    made = stores.create("RS256", rsa_bits)
    return SigningKey(
        made.kid, made.algorithm, made.public_jwk, made.store, made.private_part, KeyState.NEXT, now, ready_at
    )
