"""How often a server hashes a password, to check it."""

import pytest

from jeton.crypto.passwords import Verified
from support.in_process_server import Running


def count_hashes(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The stored hash of each run of Argon2 from now on; None where there is no such user."""
    runs: list[str | None] = []
    passwords = jeton.passwords
    verify = passwords.verify

    def counted(password_hash: str | None, password: str) -> Verified:
        runs.append(password_hash)
        return verify(password_hash, password)

    monkeypatch.setattr(passwords, "verify", counted)
    return runs
