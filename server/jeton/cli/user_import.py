"""jeton user import: the accounts of another system."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO, Final

import click
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from jeton.cli.errors import CommandError
from jeton.cli.options import configured, json_option, opened, print_result, print_results
from jeton.cli.user_file import numbered_lines
from jeton.cli.user_records import ReadUser, RecordRefusedError, read_user
from jeton.config import Settings
from jeton.crypto.hash_trial import HashTrial
from jeton.storage.clients import load_clients
from jeton.storage.database import Database, was_rolled_back
from jeton.storage.identifiers import IdentifierUsedError, used_identifiers
from jeton.storage.users import find_users, insert_user, load_users

# Few enough that a running server waits for no transaction of ours.
_AT_ONCE: Final = 200
_ATTEMPTS: Final = 5

# Something that is one user's only, a name or a sub, and the reason why another user cannot have it.
Claim = tuple[str, str]
Taken = dict[Claim, str]


@click.command(name="import")
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Only say what would become of each line.")
@json_option
@configured
def import_(file: BinaryIO, dry_run: bool, as_json: bool, settings: Settings) -> None:
    """Add the users of FILE, a JSON object on each line; - is standard input.

    \b
    {"username": "alice", "password_hash": "$2y$12$...", "email": "alice@example.com", "roles": ["editor"]}

    All but `username` may be left out; `sub`, `created_at` (seconds since 1970) and `disabled` may be given as well.
    Hashes of bcrypt, PBKDF2, scrypt and Argon2 are taken in the forms of many systems; a login replaces them.

    Each line is either added, whole, or refused; the status is 1 where any was refused. Mend those lines, and give the
    file again: what has been added is refused as such, and stays as it is.
    """
    imported, refused = 0, list[dict[str, Any]]()
    with opened(settings) as (database, clock):
        with database.read() as connection:
            clock.follow(connection)
        known, trial = Taken(), HashTrial()
        for batch in _batches(numbered_lines(file)):
            found = _found(batch, clock.now(), trial, refused)
            reasons = _settled(found, database, known, dry_run=dry_run)
            imported += len(found) - len(reasons)
            refused += [_refused(it.line, it.user.username, reasons[it.line]) for it in found if it.line in reasons]
    _report(imported, refused, dry_run=dry_run, as_json=as_json)
    if refused:
        raise CommandError(f"{len(refused)} of {imported + len(refused)} lines were refused: mend them and try again")


def _found(
    lines: Iterable[tuple[int, bytes]], now: int, trial: HashTrial, refused: list[dict[str, Any]]
) -> list[ReadUser]:
    """The users of these lines; lines that stand for nobody are added to the refused ones."""
    found = []
    for number, line in lines:
        try:
            found.append(read_user(number, line, now, trial))
        except RecordRefusedError as refusal:
            refused.append(_refused(number, None, str(refusal)))
    return found


def _batches(lines: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    while batch := list(islice(lines, _AT_ONCE)):
        yield batch


def _settled(found: list[ReadUser], database: Database, known: Taken, *, dry_run: bool) -> dict[int, str]:
    """Adds who can be added, in one transaction; why the others cannot be, by line.

    `known` are the claims of the lines before, and then of these lines too.
    """
    for _ in range(_ATTEMPTS):
        try:
            with database.read() if dry_run else database.write() as connection:
                reasons, fresh = _decided(found, _taken(connection, found) | _within(known, found))
                for it in found:
                    if it.line not in reasons and not dry_run:
                        insert_user(connection, it.user)
        except IdentifierUsedError:
            # Somebody else has just taken one of these: the next look finds it.
            continue
        except DBAPIError as error:
            # Somebody else has just added one of them: the next look finds that user.
            if not isinstance(error, IntegrityError) and not was_rolled_back(error):
                raise
        else:
            known |= fresh
            return reasons
    raise CommandError("somebody else is adding the same users: try again")


def _decided(found: Iterable[ReadUser], taken: Taken) -> tuple[dict[int, str], Taken]:
    """Why some lines are refused, and what the others claim; the first line that claims something has it."""
    reasons, fresh = dict[int, str](), Taken()
    for it in found:
        claims = _claims(it)
        if reason := next((taken[claim] for claim in claims if claim in taken), None):
            reasons[it.line] = reason
        else:
            claimed = {claim: f"line {it.line} of this file has this {claim[0]} already" for claim in claims}
            taken |= claimed
            fresh |= claimed
    return reasons, fresh


def _claims(it: ReadUser) -> list[Claim]:
    return [*(("user name or e-mail address", key) for key in it.keys), ("sub", it.user.sub)]


def _within(known: Taken, found: Iterable[ReadUser]) -> Taken:
    return {claim: known[claim] for it in found for claim in _claims(it) if claim in known}


def _taken(connection: Connection, found: Iterable[ReadUser]) -> Taken:
    """What users and clients in the database have already, of all that is claimed."""
    keys, subs = {key for it in found for key in it.keys}, {it.user.sub for it in found}
    there_is = "there is a user with this {} already (case does not count)"
    names = {("user name or e-mail address", key) for key in find_users(connection, keys)}
    return {
        **{claim: there_is.format(claim[0]) for claim in names},
        **{("sub", sub): "this sub was a user's or a client's before" for sub in used_identifiers(connection, subs)},
        **{("sub", sub): "there is a user with this sub already" for sub in load_users(connection, subs)},
        **{("sub", sub): "this sub is the client_id of a client" for sub in load_clients(connection, subs)},
    }


def _refused(line: int, username: str | None, reason: str) -> dict[str, Any]:
    return {"line": line, "username": username, "reason": reason}


def _report(imported: int, refused: list[dict[str, Any]], *, dry_run: bool, as_json: bool) -> None:
    refused = sorted(refused, key=lambda it: int(it["line"]))
    if as_json:
        print_result({"dry_run": dry_run, "imported": imported, "refused": refused}, as_json=True)
        return
    if refused:
        print_results(refused, as_json=False, columns=("line", "username", "reason"))
    print_result({"dry_run": dry_run, "imported": imported, "refused": len(refused)}, as_json=False)
