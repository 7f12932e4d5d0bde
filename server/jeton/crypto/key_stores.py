"""Key stores: where private keys are kept, encrypted in the database or in an external store such as an HSM."""

from collections.abc import Collection
from typing import Protocol

from jeton.oauth.errors import TemporarilyUnavailableError
from jeton.rules.key_lifecycle import StoredKey


class KeyStoreError(TemporarilyUnavailableError):
    """A private key cannot be created, opened or used. The message says which, and what to do."""


class PrivateKey(Protocol):
    """A private key that is ready to sign."""

    @property
    def kid(self) -> str: ...

    @property
    def algorithm(self) -> str: ...

    @property
    def is_external(self) -> bool:
        """Whether signing blocks on an external store, so that it must not run in the event loop."""
        ...

    def sign(self, signing_input: bytes) -> bytes:
        """Return the JWS signature (RFC 7515 section 5.1); for ES256 it is R || S (RFC 7518 section 3.4).

        Called from several threads. Raise KeyStoreError if the store cannot sign now.
        """
        ...


class KeyStore(Protocol):
    """A store of private keys."""

    @property
    def name(self) -> str:
        """The value of `store` in stored keys."""
        ...

    def create(self, algorithm: str, rsa_bits: int | None) -> StoredKey:
        """Create a key. `rsa_bits` is None for all algorithms but RS256. Slow: call it outside any transaction.

        Its `private_part` is what `open` needs, and is useless without this store.
        """
        ...

    def check(self) -> None:
        """Raise KeyStoreError if the store cannot be used now."""
        ...

    def open(self, stored: StoredKey) -> PrivateKey:
        """Open the key whose thumbprint is the stored `kid`. Raise MasterKeyError or KeyStoreError if it fails."""
        ...

    def destroy(self, stored: StoredKey) -> None:
        """Delete what the store keeps of the key, if anything. Raise KeyStoreError if it fails."""
        ...


class KeyStores:
    """All key stores. New keys are created in the first."""

    def __init__(self, default: KeyStore, *others: KeyStore) -> None:
        self._default = default
        self._stores = {store.name: store for store in (default, *others)}
        self._open: dict[str, PrivateKey] = {}

    @property
    def default_store(self) -> str:
        """The name of the store for new keys."""
        return self._default.name

    def create(self, algorithm: str, rsa_bits: int | None) -> StoredKey:
        """Create a key in the default store."""
        return self._default.create(algorithm, rsa_bits)

    def check(self) -> None:
        """Raise KeyStoreError if no key could be created in the default store now."""
        self._default.check()

    def open(self, stored: StoredKey) -> PrivateKey:
        """Open the key in its store, once. Raise MasterKeyError or KeyStoreError if it fails."""
        if stored.kid not in self._open:
            if stored.store not in self._stores:
                raise KeyStoreError(
                    f"signing key {stored.kid} is in the key store {stored.store!r}, which is not configured here"
                )
            self._open[stored.kid] = self._stores[stored.store].open(stored)
        return self._open[stored.kid]

    def destroy(self, stored: StoredKey) -> None:
        """Delete the key from its store, if the store is still configured."""
        if stored.store in self._stores:
            self._stores[stored.store].destroy(stored)

    def close_all_except(self, kids: Collection[str]) -> None:
        """Close all keys except these."""
        self._open = {kid: key for kid, key in self._open.items() if kid in kids}
