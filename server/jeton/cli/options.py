"""What all commands share: where the settings come from, and how results are printed."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from sqlalchemy import Connection

from jeton.bootstrap.opening import open_database
from jeton.config import Settings, load_settings, warning_about_variables
from jeton.observability.escaping import encode_json, escape
from jeton.storage.clock import Clock
from jeton.storage.database import Database

Command = TypeVar("Command", bound=Callable[..., Any])


def configured(command: Command) -> Command:
    """Gives the command its `settings`, and the option that says where they are."""

    @click.option("--config", "config_file", type=click.Path(path_type=Path), help="The TOML file with the settings.")
    @functools.wraps(command)
    def with_settings(*args: Any, config_file: Path | None, **options: Any) -> Any:
        return command(*args, settings=effective_settings(config_file), **options)

    return with_settings  # type: ignore[return-value]


def effective_settings(config_file: Path | None = None) -> Settings:
    """Return the settings, and warn on standard error about variables that look like some and are none."""
    settings = load_settings(config_file)
    if warning := warning_about_variables():
        click.echo(f"jeton: {escape(warning)}", err=True)
    return settings


# Random identifiers may begin with a hyphen; Click would take those for options, or for several with one letter each.
TAKES_IDENTIFIER: Final = {"ignore_unknown_options": True, "help_option_names": ["--help"]}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Database, Clock]]:
    """The configured database and a clock to follow it, until the command ends."""
    database = open_database(settings)
    try:
        yield database, Clock()
    finally:
        database.close()


@contextmanager
def transaction(settings: Settings) -> Iterator[tuple[Connection, int]]:
    """A writing transaction on the configured database, and the time by its clock."""
    with opened(settings) as (database, clock), database.write() as connection:
        clock.follow(connection)
        yield connection, clock.now()


def print_result(result: Mapping[str, Any], *, as_json: bool) -> None:
    """One thing: a line per member, or a JSON object."""
    if as_json:
        click.echo(encode_json(result))
        return
    width = max(len(name) for name in result)
    for name, value in result.items():
        click.echo(f"{name:<{width}}  {_shown(name, value)}")


def print_results(results: Sequence[Mapping[str, Any]], *, as_json: bool, columns: Sequence[str]) -> None:
    """Several things: a table of these columns, or a JSON array of everything."""
    if as_json:
        click.echo(encode_json(results))
        return
    rows = [list(columns), *([_shown(name, result.get(name)) for name in columns] for result in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _shown(name: str, value: Any) -> str:
    if value is None or value in ([], ""):
        return "-"
    if isinstance(value, list):
        return " ".join(escape(str(item)) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith(("_at", "_until")) and isinstance(value, int):
        return format_time(value)
    return escape(str(value))


def format_time(seconds: int) -> str:
    """Return the time as people read it; the bare number after the year 9999, which Python cannot write."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(seconds)
