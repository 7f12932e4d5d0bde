"""jeton audit: read, export and verify the audit trail."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy import Connection

from jeton.admin import users
from jeton.admin.audit_checkpoints import AuditRetention
from jeton.admin.audit_export import describe, describe_for_ocsf
from jeton.admin.audit_verification import AuditVerification
from jeton.admin.errors import NotFoundError
from jeton.bootstrap.from_settings import open_master_keys
from jeton.cli.errors import CommandError
from jeton.cli.options import configured, json_option, opened
from jeton.cli.output import print_result, print_results
from jeton.cli.progress import progress_bar
from jeton.config.settings import Settings
from jeton.crypto.audit_checkpoint import CheckpointKeys
from jeton.observability.escaping import encode_json
from jeton.storage.audit_checkpoints import load_checkpoints
from jeton.storage.audit_records import count_audit_records, load_by_time, load_newest

_COLUMNS: Final = ("time", "event", "outcome", "reason", "actor", "sub", "client_id", "sid", "address", "request_id")
_BATCH: Final = 5000
_FORMATS: Final = {"jsonl": describe, "ocsf": describe_for_ocsf}


def selection(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that select records."""
    for option in (
        click.option("--request-id", help="Only of this request: the reference on an error page."),
        click.option("--sid", help="Only of this session, or browser session."),
        click.option("--client", "client_id", help="Only of this client."),
        click.option("--user", "username", help="Only of this user: name, e-mail address or sub."),
    ):
        command = option(command)
    return command


@click.group()
def audit() -> None:
    """Audit trail: who did what, and when."""


@audit.command()
@selection
@click.option("-n", "--lines", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many.")
@json_option
@configured
def tail(username: str | None, lines: int, as_json: bool, settings: Settings, **selected: str | None) -> None:
    """Show the newest records, the oldest of them first."""
    with opened(settings) as (database, _), database.read() as connection:
        found = load_newest(connection, lines, sub=_sub(connection, username), **selected)
    print_results([describe(it) for it in found], as_json=as_json, columns=_COLUMNS)


@audit.command()
@selection
@click.option("--format", "name", type=click.Choice([*_FORMATS]), default="jsonl", show_default=True, help="Format.")
@click.option(
    "--checkpoints", is_flag=True, help="The signed checkpoints instead: keep them where no one changes them."
)
@configured
def export(username: str | None, name: str, checkpoints: bool, settings: Settings, **selected: str | None) -> None:
    """Print all records, one JSON object per line, the oldest first."""
    if checkpoints and (username is not None or name != "jsonl" or any(it is not None for it in selected.values())):
        raise click.UsageError("--checkpoints exports all checkpoints: leave the other options out")
    with opened(settings) as (database, _), database.read() as connection:
        if checkpoints:
            for checkpoint in load_checkpoints(connection):
                click.echo(checkpoint.signed)
            return
        selected |= {"sub": _sub(connection, username)}
        # On a terminal, the records themselves show the progress.
        with progress_bar("Exporting", hidden=sys.stdout.isatty()) as progress:
            total = count_audit_records(connection, **selected)
            for record in load_by_time(connection, **selected):
                click.echo(encode_json(_FORMATS[name](record)))
                progress(1, total)


@audit.command()
@click.option(
    "--checkpoints",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Checkpoints that were exported before: what they name must still be there.",
)
@json_option
@configured
def verify(file: Path | None, as_json: bool, settings: Settings) -> None:
    """Verify that no record was changed, removed, inserted or reordered. Exit status 1 if one was."""
    # A checkpoint is ASCII. Without any, nothing would be compared, and an export that failed would go unnoticed.
    exported = file.read_text("ascii", errors="replace").split() if file else []
    if file and not exported:
        raise CommandError(f"{file} has no checkpoints: give it a file of `jeton audit export --checkpoints`")
    with opened(settings) as (database, _):
        keys = open_master_keys(settings, database)
        with database.read() as connection, progress_bar("Verifying") as progress:
            found = AuditVerification(connection, keys, exported)
            total = count_audit_records(connection)
            for _ in found.run():
                progress(1, total)
    names = ("records", "chains", "checkpoints", "erased")
    print_result({it: getattr(found, it) for it in names} | {"problems": found.problems}, as_json=as_json)
    if found.problems:
        raise CommandError(f"the audit trail is not as it was written: {len(found.problems)} problems")


@audit.command()
@json_option
@configured
def purge(as_json: bool, settings: Settings) -> None:
    """Delete records that have expired.

    They are older than audit.retention_seconds, and covered by a checkpoint. Servers do the same every minute, unless
    their database role may only add records: then run this as the role that owns the tables.
    """
    if not settings.audit.retention_seconds:
        raise CommandError("nothing expires, because audit.retention_seconds is 0: set how long records are kept")
    deleted, is_done = 0, False
    with opened(settings) as (database, clock):
        keys = CheckpointKeys(open_master_keys(settings, database))
        retention = AuditRetention(keys, settings.audit.retention_seconds)
        while not is_done:
            with database.write() as connection:
                clock.follow(connection)
                retention.make_checkpoint(connection, clock.now())
                batch = retention.delete_expired(connection, clock.now(), _BATCH)
            deleted, is_done = deleted + batch, not batch
    print_result({"rows_deleted": deleted}, as_json=as_json)


def _sub(connection: Connection, username: str | None) -> str | None:
    """Return the user's sub. A user who was deleted is named by it.

    Raise CommandError if there is neither such a user nor a record of one: a misspelt name would select nothing.
    """
    if username is None:
        return None
    try:
        return users.find(connection, username).sub
    except NotFoundError:
        if load_newest(connection, 1, sub=username):
            return username
        raise CommandError(
            f"there is no user {username}, and no record of a deleted one: see `jeton user list`, or give the sub"
        ) from None
