"""A separate token for each test, available in this process and its child processes."""

from pathlib import Path

import pytest

from support.softhsm import SoftHsm, soft_hsm


@pytest.fixture(scope="session")
def empty_hsm(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    """An empty token, of which tests get copies."""
    return soft_hsm(tmp_path_factory.mktemp("hsm"))


@pytest.fixture
def hsm(empty_hsm: SoftHsm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    made = empty_hsm.copy(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", made.configuration)
    return made
