"""jeton user import: add the accounts of another system."""

import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import click

from jeton.admin.user_import import ImportReport, import_users
from jeton.cli.errors import CommandError
from jeton.cli.options import configured, json_option, opened
from jeton.cli.output import print_result, print_results
from jeton.cli.progress import Progress, progress_bar
from jeton.config.settings import Settings
from jeton.frozen import asdict


@click.command(name="import")
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Report what would happen to each line, and add no user.")
@json_option
@configured
def import_(file: BinaryIO, dry_run: bool, as_json: bool, settings: Settings) -> None:
    """Add the users of FILE.

    It holds one JSON object per line; - is standard input.

    \b
    {"username": "alice", "password_hash": "$2y$12$...", "email": "alice@example.com", "roles": ["editor"]}

    Only `username` is required. Also allowed: `sub`, `created_at` (seconds since 1970), `disabled`,
    `email_verified` and `claims`.
    Password hashes of bcrypt, PBKDF2, scrypt and Argon2 are accepted in the formats of many systems; the first login
    replaces them.

    Each line is added as a whole or refused. If any is refused, the exit status is 1: correct those lines and import
    the file again. Users added before are then refused as duplicates and stay unchanged.
    """
    with opened(settings) as (database, clock):
        with database.read() as connection:
            clock.follow(connection)
        with progress_bar("Importing") as progress:
            report = import_users(database, clock.now(), _watched(file, progress), dry_run=dry_run)
    _print(report, dry_run=dry_run, as_json=as_json)
    refused, total = len(report.rejected), report.imported + len(report.rejected)
    if refused:
        raise CommandError(f"{refused} of {total} lines were refused: correct them and import the file again")


def _watched(file: BinaryIO, progress: Progress) -> Iterable[bytes]:
    """Return the lines of a file, and report how many of its bytes are read. Of a pipe, the size is not known."""
    if not file.seekable():
        return file
    size = file.seek(0, os.SEEK_END)
    file.seek(0)

    def lines() -> Iterator[bytes]:
        for line in file:
            yield line
            progress(len(line), size)

    return lines()


def _print(report: ImportReport, *, dry_run: bool, as_json: bool) -> None:
    rejected = [asdict(it) for it in report.rejected]
    if as_json:
        print_result({"dry_run": dry_run, "imported": report.imported, "refused": rejected}, as_json=True)
        return
    if rejected:
        print_results(rejected, as_json=False, columns=("line", "username", "reason"))
    print_result({"dry_run": dry_run, "imported": report.imported, "refused": len(rejected)}, as_json=False)
