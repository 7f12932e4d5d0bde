"""A record of the password hashes that a server checks."""

import pytest

from jeton.crypto.passwords import Verified
from support.in_process_server import Running


def count_hashes(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Return a list to which each run of Argon2 appends the stored hash, or None for an unknown user."""
    runs: list[str | None] = []
    passwords = jeton.passwords
    verify = passwords.verify

    def counted(password_hash: str | None, password: str) -> Verified:
        runs.append(password_hash)
        return verify(password_hash, password)

    monkeypatch.setattr(passwords, "verify", counted)
    return runs
