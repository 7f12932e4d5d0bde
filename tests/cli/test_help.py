"""jeton --help: every command has help, and commands that print data can print JSON."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import click
import pytest

from jeton.cli import jeton
from jeton.cli.client_options import GRANT_TYPES
from jeton.grants import GRANTS
from support.cli_runner import CommandLine

COMMANDS = {
    *("serve", "migrate"),
    *("user add", "user set-password", "user disable", "user enable", "user delete", "user show", "user list"),
    *("user import", "passwords calibrate"),
    *("client add", "client set", "client rotate-secret", "client disable", "client enable", "client delete"),
    *("client show", "client list", "keys list", "keys rotate", "keys revoke", "secrets rewrap"),
    *("session list", "session revoke", "token inspect", "config check"),
    *("resource add", "resource set", "resource delete", "resource list"),
}
# They print no data, but a log, and a file.
WITHOUT_JSON = {"serve", "config example"}


def _commands(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, *path, name)
        else:
            yield " ".join((*path, name)), command


ALL = dict(_commands(jeton))


@pytest.mark.parametrize("command", ["client", "resource", "user", "session"])
def test_frequent_commands_do_not_import_server_or_migrations(command: str) -> None:
    """These modules take longer to import than everything else."""
    code = f"import sys, jeton.cli.{command}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    heavy = {"alembic", "authlib", "joserfc", "starlette", "structlog", "uvicorn"}
    assert heavy & set(done.stdout.split()) == set()


def test_grant_option_allows_every_grant() -> None:
    assert set(GRANT_TYPES) == {it.name for it in GRANTS}


def test_every_promised_command_exists() -> None:
    assert sorted(COMMANDS - ALL.keys()) == []


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help(cli: CommandLine, name: str) -> None:
    text = cli.text(*name.split(), "--help")

    assert text.startswith(f"Usage: jeton {name}")
    assert ALL[name].get_short_help_str(limit=1000) in " ".join(text.split())
    assert ALL[name].help


@pytest.mark.parametrize("name", sorted(ALL.keys() - WITHOUT_JSON))
def test_commands_that_print_data_take_json_and_config(cli: CommandLine, name: str) -> None:
    text = cli.text(*name.split(), "--help")

    assert "--json" in text
    assert "--config" in text


def test_version_is_printed(cli: CommandLine) -> None:
    assert version("jeton") in cli.text("--version")


@pytest.mark.parametrize(
    "words",
    [("nonsense",), ("user", "nonsense"), ("user", "show"), ("user", "show", "a", "b"), ("keys", "list", "--nonsense")],
    ids=" ".join,
)
def test_unknown_command_or_option_is_wrong_usage(cli: CommandLine, words: tuple[str, ...]) -> None:
    cli.misused(*words)


@pytest.mark.parametrize(("typed", "meant"), [(("use",), "user"), (("user", "ad"), "add")], ids=["group", "command"])
def test_misspelled_command_gets_a_suggestion(cli: CommandLine, typed: tuple[str, ...], meant: str) -> None:
    assert f"'{meant}'" in cli.misused(*typed)


def test_help_explains_exit_statuses(cli: CommandLine) -> None:
    assert "0 done, 1 refused (one line says why), 2 wrong usage" in " ".join(cli.text("--help").split())
