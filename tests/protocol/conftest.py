"""Tests of the protocol run on SQLite only, unless they are marked `both_databases`."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from shutil import copy
from typing import TYPE_CHECKING

import pytest

from support.browsing import Browser, browser
from support.cli_functions import configured_for
from support.in_process_server import Running, running, settings_for
from support.written_log import WrittenLog, written_log

if TYPE_CHECKING:
    from support.recorded_spans import RecordedSpans


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_databases"):
        metafunc.parametrize("database_kind", ["sqlite", "postgresql"])


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_kind: str) -> str:
    """A migrated database that no other test uses at the same time."""
    return str(request.getfixturevalue(f"{database_kind}_url"))


@pytest.fixture
def logged() -> Iterator[WrittenLog]:
    """The log output of the test. Request this fixture before the server."""
    with written_log() as written:
        yield written


@pytest.fixture
def spans() -> "Iterator[RecordedSpans]":
    """The spans of a server, which must be requested after this fixture to be traced."""
    # Few tests need the SDK, which takes a tenth of a second to import.
    from support.recorded_spans import recorded_spans

    with recorded_spans() as recorded:
        yield recorded


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def nodes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Running, Running]]:
    """Two servers over one database, with the module's `SETTINGS` if it has any. Commands use the first one's clock."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        url = f"sqlite:///{copy(template, tmp_path_factory.mktemp('nodes') / 'jeton.db')}"
    else:
        shared = request.getfixturevalue("shared_postgresql")
        shared.restore()
        url = shared.url
    settings = settings_for(url, **getattr(request.module, "SETTINGS", {}))
    with configured_for(url), pytest.MonkeyPatch.context() as patch:
        async with running(settings) as node, running(settings) as other:
            patch.setattr("jeton.cli.options.Clock", lambda: node.clock)
            yield node, other


@pytest.fixture
async def visitor(jeton: Running) -> AsyncIterator[Browser]:
    """A browser without cookies at a server that has a user, alice."""
    jeton.add_user("alice")
    async with browser(jeton) as it:
        yield it
