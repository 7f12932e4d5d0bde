"""Key stores: each key is opened once, by the store that it names."""

from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from jeton.crypto.key_stores import KeyStoreError, KeyStores, PrivateKey
from jeton.rules.key_lifecycle import StoredKey


@dataclass(frozen=True)
class Key:
    kid: str
    algorithm: str
    is_external: ClassVar[bool] = False

    def sign(self, signing_input: bytes) -> bytes:
        return signing_input


@dataclass
class Store:
    """Keys that are numbered; it remembers which were opened."""

    name: str
    opened: list[str] = field(default_factory=list)
    created: int = 0
    destroyed: list[str] = field(default_factory=list)

    def create(self, algorithm: str, rsa_bits: int | None) -> StoredKey:
        self.created += 1
        return StoredKey(f"{self.name}-{self.created}", algorithm, "{}", self.name, "a reference")

    def open(self, stored: StoredKey) -> PrivateKey:
        self.opened.append(stored.kid)
        return Key(stored.kid, stored.algorithm)

    def destroy(self, stored: StoredKey) -> None:
        self.destroyed.append(stored.kid)


def test_new_keys_are_created_in_the_default_store() -> None:
    stores = KeyStores(Store("one"), Store("two"))

    assert stores.create("ES256", None).store == stores.default_store == "one"


def test_each_key_is_opened_once_by_its_own_store() -> None:
    one, two = Store("one"), Store("two")
    stores = KeyStores(one, two)
    key = two.create("ES256", None)

    assert stores.open(key) is stores.open(key)
    assert (one.opened, two.opened) == ([], ["two-1"])


def test_closed_key_is_opened_again_on_demand() -> None:
    one = Store("one")
    stores, keys = KeyStores(one), [one.create("ES256", None) for _ in range(2)]
    for key in keys:
        stores.open(key)

    stores.close_all_except({"one-2"})
    for key in keys:
        stores.open(key)

    assert one.opened == ["one-1", "one-2", "one-1"]


def test_a_key_of_a_store_that_is_not_configured_is_refused_with_both_names() -> None:
    with pytest.raises(KeyStoreError, match="two-1 is in the key store 'two', which is not configured"):
        KeyStores(Store("one")).open(Store("two").create("ES256", None))


def test_a_key_is_destroyed_by_its_own_store() -> None:
    one, two = Store("one"), Store("two")
    key = two.create("ES256", None)

    KeyStores(one, two).destroy(key)

    assert (one.destroyed, two.destroyed) == ([], [key.kid])


def test_key_of_a_store_that_is_no_longer_configured_can_be_deleted() -> None:
    one = Store("one")

    KeyStores(one).destroy(Store("two").create("ES256", None))

    assert one.destroyed == []
