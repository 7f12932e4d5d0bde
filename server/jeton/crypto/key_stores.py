"""Private keys and where they live: sealed in the database, or elsewhere, where they sign and never leave."""

from collections.abc import Collection
from typing import Protocol

from jeton.rules.key_lifecycle import StoredKey


class KeyStoreError(Exception):
    """A private key cannot be made, opened or used. The text says which, and what to do."""


class PrivateKey(Protocol):
    """A private key that is ready to sign, wherever it is."""

    @property
    def kid(self) -> str: ...

    @property
    def algorithm(self) -> str: ...

    @property
    def is_external(self) -> bool:
        """Whether a signature has to be waited for: then it must not be made in the event loop."""
        ...

    def sign(self, signing_input: bytes) -> bytes:
        """The JWS signature (RFC 7515 section 5.1); of ES256 it is R || S (RFC 7518 section 3.4).

        Called from several threads. KeyStoreError where it cannot sign now.
        """
        ...


class KeyStore(Protocol):
    """A place where private keys live."""

    @property
    def name(self) -> str:
        """As a stored key names it in `store`."""
        ...

    def create(self, algorithm: str, rsa_bits: int | None) -> StoredKey:
        """A new key; `rsa_bits` is None for all but RS256. Called outside of any transaction: it may take its time.

        Its `private_part` is all that `open` needs to find it again, and worth nothing without this store.
        """
        ...

    def open(self, stored: StoredKey) -> PrivateKey:
        """The key, and no other: its thumbprint is the stored kid. MasterKeyError or KeyStoreError where it cannot."""
        ...

    def destroy(self, stored: StoredKey) -> None:
        """What this place keeps of the key beyond what is stored is gone, or was already. KeyStoreError: not now."""
        ...


class KeyStores:
    """Every place where keys of ours live. New ones are made in the first."""

    def __init__(self, creating: KeyStore, *others: KeyStore) -> None:
        self._creating = creating
        self._stores = {store.name: store for store in (creating, *others)}
        self._open: dict[str, PrivateKey] = {}

    @property
    def default_store(self) -> str:
        """The name of the store for new keys."""
        return self._creating.name

    def create(self, algorithm: str, rsa_bits: int | None) -> StoredKey:
        return self._creating.create(algorithm, rsa_bits)

    def open(self, stored: StoredKey) -> PrivateKey:
        """The key, from the store that it names; opened once. MasterKeyError or KeyStoreError where it cannot be."""
        if stored.kid not in self._open:
            if stored.store not in self._stores:
                raise KeyStoreError(
                    f"signing key {stored.kid} lives in the key store {stored.store!r}, which is not configured here"
                )
            self._open[stored.kid] = self._stores[stored.store].open(stored)
        return self._open[stored.kid]

    def destroy(self, stored: StoredKey) -> None:
        """It never signs again. A store that is not configured any more is left as it is."""
        if stored.store in self._stores:
            self._stores[stored.store].destroy(stored)

    def close_all_except(self, kids: Collection[str]) -> None:
        """Lets go of all keys but these."""
        self._open = {kid: key for kid, key in self._open.items() if kid in kids}
