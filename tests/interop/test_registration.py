"""openid-client and oauth4webapi register themselves (RFC 7591) at a live server with open registration."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.conftest import live_server
from interop.live_server import Live
from interop.node_scripts import assert_script_passes


@pytest.fixture(scope="module")
def open_live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_server(tmp_path_factory.mktemp("open"), REGISTRATION__DYNAMIC="open") as started:
        yield started


@pytest.mark.requirement("DR03", "DR04", "DR09", "DR14", "DR15", "DR16", "MC04")
def test_libraries_register_sign_in_and_manage_themselves(open_live: Live, tmp_path: Path, node_modules: Path) -> None:
    assert_script_passes(tmp_path, node_modules, "registration.mjs", open_live.facts)
