"""Import of the accounts of another system (docs/operations/users.md)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from jeton.admin.errors import AdminError
from jeton.admin.user_import_file import numbered_lines
from jeton.admin.user_import_records import ImportedUser, RecordError, parse_record
from jeton.crypto.hash_trial import HashTrial
from jeton.frozen import Frozen
from jeton.oauth.audit_events import AuditEvent
from jeton.storage.audit_trail import record
from jeton.storage.clients import load_clients
from jeton.storage.database import Database, was_rolled_back
from jeton.storage.identifiers import IdentifierUsedError, used_identifiers
from jeton.storage.users import find_users, insert_user, load_users

# Small, so that a running server does not wait long for a transaction of the import.
BATCH_SIZE: Final = 200
_MAX_ATTEMPTS: Final = 5

# A unique value of a user, as (kind, value); and the reason why another user cannot have it.
Identifier = tuple[str, str]
Taken = dict[Identifier, str]


class RejectedLine(Frozen):
    """A line that was not imported. `username` is None if the line could not be parsed."""

    line: int
    username: str | None
    reason: str


@dataclass(slots=True)
class ImportReport:
    """How many users were imported, and the lines that were not."""

    imported: int = 0
    rejected: list[RejectedLine] = field(default_factory=list)


def import_users(database: Database, now: int, file: Iterable[bytes], *, dry_run: bool = False) -> ImportReport:
    """Insert the users of a JSON Lines file, in transactions of BATCH_SIZE lines. Each line is imported or rejected.

    A dry run inserts nothing and reports the same. Raise AdminError if the file has another format.
    """
    report, taken, trial = ImportReport(), Taken(), HashTrial()
    lines = numbered_lines(file)
    while batch := list(islice(lines, BATCH_SIZE)):
        users = []
        for number, line in batch:
            try:
                users.append(parse_record(number, line, now, trial))
            except RecordError as error:
                report.rejected.append(RejectedLine(number, None, str(error)))
        reasons = _import_batch(database, users, taken, dry_run=dry_run)
        report.imported += len(users) - len(reasons)
        report.rejected += [
            RejectedLine(it.line, it.user.username, reasons[it.line]) for it in users if it.line in reasons
        ]
    report.rejected.sort(key=lambda it: it.line)
    return report


def _import_batch(database: Database, users: list[ImportedUser], taken: Taken, *, dry_run: bool) -> dict[int, str]:
    """Insert the users that can be, in one transaction. Return why the others cannot be, by line.

    `taken` holds the identifiers of the lines before; those of this batch are added.
    """
    for _ in range(_MAX_ATTEMPTS):
        try:
            with database.read() if dry_run else database.write() as connection:
                reasons, added = _find_conflicts(users, _load_taken(connection, users) | _select(taken, users))
                for it in users:
                    if it.line not in reasons and not dry_run:
                        insert_user(connection, it.user)
                        record(connection, AuditEvent("user_added", "imported", sub=it.user.sub))
        except IdentifierUsedError:
            # Another transaction has just taken one of these: the next attempt finds it.
            continue
        except DBAPIError as error:
            # Another transaction has just inserted one of them: the next attempt finds that user.
            if not isinstance(error, IntegrityError) and not was_rolled_back(error):
                raise
        else:
            taken |= added
            return reasons
    raise AdminError("the same users are being added by another process: try again")


def _find_conflicts(users: Iterable[ImportedUser], taken: Taken) -> tuple[dict[int, str], Taken]:
    """Return why some lines are rejected, and what the others take. Of lines that conflict, the first one wins."""
    reasons, added = dict[int, str](), Taken()
    for it in users:
        identifiers = _identifiers(it)
        if reason := next((taken[key] for key in identifiers if key in taken), None):
            reasons[it.line] = reason
        else:
            own = {key: f"line {it.line} of this file has this {key[0]} already" for key in identifiers}
            taken |= own
            added |= own
    return reasons, added


def _identifiers(it: ImportedUser) -> list[Identifier]:
    return [*(("user name or e-mail address", key) for key in it.keys), ("sub", it.user.sub)]


def _select(taken: Taken, users: Iterable[ImportedUser]) -> Taken:
    return {key: taken[key] for it in users for key in _identifiers(it) if key in taken}


def _load_taken(connection: Connection, users: Iterable[ImportedUser]) -> Taken:
    """Return those identifiers of the users that stored users and clients have already."""
    keys, subs = {key for it in users for key in it.keys}, {it.user.sub for it in users}
    exists = "there is a user with this {} already (case does not count)"
    names = {("user name or e-mail address", key) for key in find_users(connection, keys)}
    return {
        **{key: exists.format(key[0]) for key in names},
        **{("sub", sub): "this sub belonged to a user or client before" for sub in used_identifiers(connection, subs)},
        **{("sub", sub): "there is a user with this sub already" for sub in load_users(connection, subs)},
        **{("sub", sub): "this sub is the client_id of a client" for sub in load_clients(connection, subs)},
    }
