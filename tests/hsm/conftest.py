"""A token of each test's own, in this process and in those that it starts."""

from pathlib import Path

import pytest

from support.softhsm import SoftHsm, soft_hsm


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    made = soft_hsm(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", made.configuration)
    return made
