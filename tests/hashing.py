"""Which passwords a server hashes, to check them."""

import pytest

from jeton.crypto.passwords import Verified
from running import Running


def count_hashes(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that are checked from now on, as they are."""
    runs: list[str] = []
    passwords = jeton.server.services.passwords
    verify = passwords.verify

    def counted(password_hash: str | None, password: str) -> Verified:
        runs.append(password)
        return verify(password_hash, password)

    monkeypatch.setattr(passwords, "verify", counted)
    return runs
