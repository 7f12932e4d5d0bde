"""A separate token for each test, available in this process and its child processes."""

from pathlib import Path

import pytest

from support.softhsm import SoftHsm, soft_hsm


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    made = soft_hsm(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", made.configuration)
    return made
