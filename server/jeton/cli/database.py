"""jeton database: copy all data into another database."""

from contextlib import AbstractContextManager, closing
from pathlib import Path

import click

from jeton.admin.database_copy import as_rows, copy_database
from jeton.bootstrap.from_settings import master_key_file
from jeton.cli.errors import CommandError
from jeton.cli.options import configured, json_option
from jeton.cli.output import print_result, print_results
from jeton.cli.progress import progress_bar
from jeton.config.settings import Settings
from jeton.crypto.master_key import MasterKeys, parse_master_keys, read_or_create_master_key
from jeton.storage.database import Database
from jeton.storage.database_url import DatabaseUrlError, sqlite_file


@click.group()
def database() -> None:
    """The database as a whole."""


@database.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@json_option
@configured
def copy(source: str, target: str, as_json: bool, settings: Settings) -> None:
    """Copy all data of the database FROM into the empty database TO. Both are URLs as in `database.url`.

    \b
    jeton database copy sqlite:///var/jeton.db postgresql://jeton@db.example/jeton

    Stop the servers first. A PostgreSQL database must have been migrated (`jeton migrate`); an SQLite file is created.
    Everything that was copied is read again and compared. If the copy stops, repeat the command: it continues.

    The servers of TO need the same master key as those of FROM.
    """
    _check_urls(source, target)
    with _opened(source) as from_, _opened(target) as to:
        if from_.url == to.url:
            raise click.UsageError("FROM and TO are the same database")
        keys = _master_keys(settings, to.file)
        with progress_bar("Copying") as progress:
            report = copy_database(from_, to, keys, progress)
    if as_json:
        members = {"tables": as_rows(report), "master_key_ids": sorted(report.master_key_ids)}
        print_result(members | {"master_key_checked": keys is not None}, as_json=True)
        return
    print_results(as_rows(report), as_json=False, columns=("table", "rows", "sha256"))
    if keys is None:
        key_file = from_.file and master_key_file(from_.file)
        click.echo(f"Give the servers of TO the master key of FROM: secrets.master_key{_named(key_file)}", err=True)


def _opened(url: str) -> AbstractContextManager[Database]:
    """Return the database, which is closed at the end of the block."""
    return closing(Database(url))


def _check_urls(source: str, target: str) -> None:
    """Raise CommandError if one is not a URL, or FROM a missing SQLite file, which opening it would create."""
    for argument, url in (("FROM", source), ("TO", target)):
        try:
            file = sqlite_file(url)
        except DatabaseUrlError as error:
            raise CommandError(f"{argument}: {error}") from None
        if argument == "FROM" and file is not None and not file.is_file():
            raise CommandError(f"there is no database {file}")


def _master_keys(settings: Settings, target_file: Path | None) -> MasterKeys | None:
    """Return the master keys that a server on the target would use: those of the settings, else of its own file."""
    if settings.secrets.master_key:
        return parse_master_keys(settings.secrets.master_key)
    if target_file is not None and (file := master_key_file(target_file)).exists():
        return read_or_create_master_key(file, may_create=False)
    return None


def _named(key_file: Path | None) -> str:
    return f" (it is in {key_file})" if key_file is not None and key_file.exists() else ""
