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
    *("serve", "migrate", "doctor", "config check", "config example", "passwords calibrate", "secrets rewrap"),
    "token inspect",
    *(f"user {it}" for it in ("add", "set-password", "disable", "enable", "delete", "show", "list", "import")),
    *(f"client {it}" for it in ("add", "set", "rotate-secret", "disable", "enable", "delete", "show", "list")),
    *(f"resource {it}" for it in ("add", "set", "delete", "list")),
    *("outbox list", "outbox retry", "database copy"),
    *(f"registration token {it}" for it in ("create", "list", "revoke")),
    *("registration prune", "keys list", "keys rotate", "keys revoke", "session list", "session revoke"),
}
# They print a log or a file instead of data.
WITHOUT_JSON = {"audit export", "serve", "config example"}


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        elif command is not None:
            yield " ".join((*path, name)), command


def test_command_does_not_import_what_it_does_not_need() -> None:
    code = "import sys; from jeton.cli import client, resource, session, user; print(*sys.modules)"
    code += "; from jeton.cli import serve; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    of_others, of_servers = (set(line.split()) for line in done.stdout.splitlines())

    # These take longer to import than everything else.
    assert {"alembic", "authlib", "joserfc", "starlette", "structlog", "uvicorn"} & of_others == set()
    assert {"psycopg", "alembic", "authlib", "jeton.cli.demo", "jeton.cli.demo_app"} & of_servers == set()


def test_grant_option_allows_every_grant() -> None:
    assert set(GRANT_TYPES) == {it.name for it in GRANTS}


def test_every_command_has_help_and_those_that_print_data_take_json_and_config(cli: CommandLine) -> None:
    found = dict(commands(jeton))
    assert COMMANDS - found.keys() == set()
    for name, command in found.items():
        text = cli.text(*name.split(), "--help")
        assert text.startswith(f"Usage: jeton {name}")
        assert command.help, name
        assert command.get_short_help_str(limit=1000) in " ".join(text.split())
        assert name in WITHOUT_JSON or ("--json" in text and "--config" in text), name


def test_lists_of_commands_are_not_cut_off(cli: CommandLine) -> None:
    for group in {"", *(name.rpartition(" ")[0] for name, _ in commands(jeton))}:
        _, _, listed = cli.text(*group.split(), "--help").partition("Commands:")
        assert listed
        assert "..." not in listed


def test_help_explains_exit_statuses_and_version_is_printed(cli: CommandLine) -> None:
    assert "0 done, 1 refused (one line says why), 2 wrong usage" in " ".join(cli.text("--help").split())
    assert version("jeton") in cli.text("--version")


@pytest.mark.parametrize(
    ("words", "meant"),
    [("nonsense", ""), ("user nonsense", ""), ("user show", "USERNAME"), ("user show a b", ""),
     ("keys list --nonsense", "--nonsense"), ("use", "'user'"), ("user ad", "'add'"), ("keys revoke", "KID")],
)  # fmt: skip
def test_unknown_command_or_option_is_wrong_usage_with_a_suggestion(cli: CommandLine, words: str, meant: str) -> None:
    assert meant in cli.misused(*words.split())
