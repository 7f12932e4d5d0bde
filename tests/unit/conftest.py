"""Fixtures of several modules."""

import hashlib

import bcrypt
import pytest
from argon2 import PasswordHasher


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the hash functions that were called."""
    calls: list[str] = []

    def spy(owner: object, name: str) -> None:
        original = getattr(owner, name)

        def recorded(*args: object, **named: object) -> object:
            calls.append(name)
            return original(*args, **named)

        monkeypatch.setattr(owner, name, recorded)

    for owner, name in ((bcrypt, "checkpw"), (hashlib, "pbkdf2_hmac"), (hashlib, "scrypt"), (PasswordHasher, "verify")):
        spy(owner, name)
    return calls
