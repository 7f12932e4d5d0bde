"""What commands have in common before they print: options, settings, and transactions."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from sqlalchemy import Connection

from jeton.bootstrap.from_settings import audit_trail, open_database, open_master_keys
from jeton.config.loading import load_settings, warning_about_variables
from jeton.config.settings import Settings
from jeton.oauth.audit_events import ADMINISTRATOR
from jeton.observability.escaping import escape
from jeton.observability.origin import Origin, current_origin
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.database_url import sqlite_file

Command = TypeVar("Command", bound=Callable[..., Any])


def configured(command: Command) -> Command:
    """Add the option --config to a command, and pass it the settings as `settings`."""

    @click.option("--config", "config_file", type=click.Path(path_type=Path), help="Configuration file (TOML).")
    @functools.wraps(command)
    def with_settings(*args: Any, config_file: Path | None, **options: Any) -> Any:
        return command(*args, settings=effective_settings(config_file), **options)

    return with_settings  # type: ignore[return-value]


def effective_settings(config_file: Path | None = None) -> Settings:
    """Return the settings. Warn on standard error about variables that look like settings but are not."""
    settings = load_settings(config_file)
    if warning := warning_about_variables():
        click.echo(f"jeton: {escape(warning)}", err=True)
    return settings


# Random identifiers may begin with a hyphen: click must not parse them as options.
TAKES_IDENTIFIER: Final = {"ignore_unknown_options": True, "help_option_names": ["--help"]}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Database, Clock]]:
    """Open the configured database until the block ends. Return it with a clock that does not follow it yet.

    What the block changes is recorded as the work of an administrator.
    """
    file = sqlite_file(settings.database.url)
    is_new = file is not None and not file.exists()
    database, clock = open_database(settings), Clock()
    if file is not None and is_new:
        # In a wrong working directory it is the wrong one.
        click.echo(f"jeton: created the database {escape(str(file.absolute()))}", err=True)
    database.audit_trail = audit_trail(settings, clock, lambda: open_master_keys(settings, database))
    caller = current_origin.set(Origin(actor=ADMINISTRATOR))
    try:
        yield database, clock
    finally:
        current_origin.reset(caller)
        database.close()


@contextmanager
def transaction(settings: Settings) -> Iterator[tuple[Connection, int]]:
    """Run the block in a write transaction on the configured database. Yield it and the database's time."""
    with opened(settings) as (database, clock), database.write() as connection:
        clock.follow(connection)
        yield connection, clock.now()


@contextmanager
def reading(settings: Settings) -> Iterator[tuple[Connection, int]]:
    """Run the block in a transaction that only reads. Yield it and the database's time.

    On SQLite there is one write lock, which servers need: a list of a million users must not hold it.
    """
    with opened(settings) as (database, clock), database.read() as connection:
        clock.follow(connection)
        yield connection, clock.now()
