"""Fixtures of several modules."""

import hashlib
from pathlib import Path

import bcrypt
import pytest
from argon2 import low_level


@pytest.fixture
def hash_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the hash functions that were called."""
    calls: list[str] = []

    def spy(owner: object, name: str) -> None:
        original = getattr(owner, name)

        def recorded(*args: object, **named: object) -> object:
            calls.append(name)
            return original(*args, **named)

        monkeypatch.setattr(owner, name, recorded)

    for owner, name in ((bcrypt, "checkpw"), (hashlib, "pbkdf2_hmac"), (hashlib, "scrypt"), (low_level, "core")):
        spy(owner, name)
    return calls


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a configuration file."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
