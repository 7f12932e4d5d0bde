"""The command `jeton`: one file per group of commands. `main` is the entry point."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

import click
from sqlalchemy.exc import DBAPIError

from jeton.admin.errors import AdminError, NotFoundError
from jeton.cli.errors import CommandError
from jeton.cli.standard_streams import prepare_standard_streams
from jeton.config.sources import ConfigError
from jeton.crypto.breached_passwords import BreachedPasswordsError
from jeton.crypto.key_stores import KeyStoreError
from jeton.crypto.master_key import MasterKeyError
from jeton.oauth.registration.registration_rules import RegistrationError
from jeton.oauth.user_claims import UserClaimError
from jeton.observability.escaping import escape
from jeton.rules.key_lifecycle import KeyChangeRefusedError
from jeton.rules.login_identifiers import InvalidIdentifierError
from jeton.storage.database import StorageUnavailableError
from jeton.storage.database_url import DatabaseUrlError
from jeton.storage.exclusive_use import DatabaseInUseError
from jeton.storage.identifiers import IdentifierUsedError
from jeton.storage.migrate import SchemaError

# Errors whose text says what the caller can do about them. Other exceptions are defects and keep their traceback.
REFUSALS: Final = (
    *(CommandError, AdminError, RegistrationError, UserClaimError, InvalidIdentifierError),
    *(ConfigError, DatabaseUrlError, DatabaseInUseError),
    *(IdentifierUsedError, BreachedPasswordsError, SchemaError, MasterKeyError, KeyStoreError, KeyChangeRefusedError),
)
_COMMANDS: Final = (
    *("audit", "browser-session", "client", "config", "consent", "database", "doctor", "keys", "migrate", "outbox"),
    *("passwords", "registration", "resource", "secrets", "serve", "session", "token", "user"),
)


@contextmanager
def _escaped_errors() -> Iterator[None]:
    """Escape the messages of click: they quote arguments, which may hold control characters of a terminal."""
    try:
        yield
    except click.ClickException as error:
        error.message = "\n".join(map(escape, error.message.split("\n")))  # type: ignore[misc]
        raise


class Commands(click.Group):
    """Group that imports the module of a command only when it runs: few commands need the whole server."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"jeton.cli.{module}"), module)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        with _escaped_errors():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _escaped_errors():
                return super().invoke(ctx)
        except NotFoundError as error:
            raise CommandError(f"{error}: see `jeton {error.kind} list`") from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            # click suggests only names of commands that are loaded.
            raise click.NoSuchCommand(error.command_name, possibilities=_COMMANDS, ctx=ctx) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="jeton")
def jeton() -> None:
    """An OAuth 2 authorization server.

    \b
    To try it:
      jeton serve --demo                      runs with demo accounts, and prints curl commands to paste

    \b
    To run your own:
      jeton client add my-app --public --grant password --grant refresh_token --scope read
      jeton user add alice --generate-password
      jeton serve

    Settings come from --config, else JETON_CONFIG, else config/jeton.toml. JETON_<SECTION>__<KEY> overrides them.
    Exit status: 0 done, 1 refused (one line says why), 2 wrong usage.
    """


def main() -> None:
    """Run the command. An expected error is one line on standard error, and exit status 1."""
    prepare_standard_streams()
    try:
        _check_encoding(sys.argv[1:])
        jeton(prog_name="jeton")
    except REFUSALS as error:
        _fail(str(error))
    except StorageUnavailableError as error:
        _fail(f"the database cannot be used: {error}")
    except DBAPIError as error:
        _fail(f"the database refused: {str(error.orig).partition(chr(10))[0]}: try again")
    except OSError as error:
        sys.stdout = None  # what could not be written would fail again at exit, with status 120
        _fail(f"the system refused: {error.strerror or error}{f': {error.filename}' if error.filename else ''}")


def _check_encoding(arguments: Iterable[str]) -> None:
    """Raise CommandError if an argument is not UTF-8: Python makes surrogates of such bytes, which cannot be stored."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise CommandError(f"the argument {argument!r} is not valid UTF-8") from None


def _fail(message: str) -> None:
    click.echo(f"jeton: {escape(' '.join(message.split()))}", err=True)
    sys.exit(1)
