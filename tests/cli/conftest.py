"""A command line and a server on the same SQLite database, with the same manual clock."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.cli_runner import CommandLine
from support.in_process_server import MASTER_KEY, ManualClock, Running, running, settings_for


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """The clock of commands."""
    clock = ManualClock()
    monkeypatch.setattr("jeton.cli.options.Clock", lambda: clock)
    return clock


@pytest.fixture
def cli(sqlite_url: str, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Commands on this test's database, in a directory without a configuration file."""
    monkeypatch.chdir(tmp_path)
    return CommandLine(
        {"JETON_DATABASE__URL": sqlite_url, "JETON_SECRETS__MASTER_KEY": MASTER_KEY, "JETON_PASSWORDS__MEMORY_KIB": "8"}
    )


@pytest.fixture
async def jeton(cli: CommandLine, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """A server on the database of the commands."""
    async with running(settings_for(sqlite_url)) as server:
        monkeypatch.setattr("jeton.cli.options.Clock", lambda: server.clock)
        yield server
