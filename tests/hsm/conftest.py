"""A token of each test's own, in this process and in those that it starts."""

import os
from pathlib import Path

import pytest

from support.softhsm import NoSoftHsmError, SoftHsm, soft_hsm


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    """Without SoftHSM the test is skipped, and on CI it fails."""
    try:
        made = soft_hsm(tmp_path / "hsm")
    except NoSoftHsmError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"NOT RUN ON AN HSM: {missing}")
    monkeypatch.setenv("SOFTHSM2_CONF", made.configuration)
    return made
