"""Copy of a whole database into an empty one of either kind (docs/operations/backup.md, ADR 0039)."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from typing import Any, Final

from sqlalchemy import Connection, Table

from jeton.admin.errors import AdminError
from jeton.crypto.master_key import MasterKeyError, MasterKeys
from jeton.crypto.sealed_keys import SealedKeys
from jeton.frozen import Frozen
from jeton.storage.database import Database
from jeton.storage.exclusive_use import exclusive_use
from jeton.storage.family_lists import master_key_ids_of_families
from jeton.storage.migrate import begin_copy, bring_up_to_date, end_copy, is_copy_begun
from jeton.storage.signing_keys import load_signing_keys
from jeton.storage.table_copy import NotACopyError, TableContent, copy_rows, count_rows, delete_rows, read_content
from jeton.storage.tables import metadata, status_counter

# Referenced tables first.
TABLES: Final[tuple[Table, ...]] = tuple(metadata.sorted_tables)

# Is called with the number of rows that were dealt with, and that there are in all.
Progress = Callable[[int, int], None]


class CopyReport(Frozen):
    """What was copied, by table, and the ids of the master keys that it depends on."""

    tables: Mapping[str, TableContent]
    master_key_ids: frozenset[str]


def copy_database(
    source: Database,
    target: Database,
    master_keys: MasterKeys | None,
    progress: Progress,
    wait: Callable[[float], None] = time.sleep,
) -> CopyReport:
    """Copy all rows into a database that is empty, or holds a part of the same copy. Then compare both.

    `master_keys` are those of the servers that will use the target, if they are known. Raise AdminError if the target
    holds anything else, DatabaseInUseError if a server uses either, MasterKeyError if a master key is missing. A copy
    that stops can be continued; until it is complete, no server starts on the target.
    """
    bring_up_to_date(source)
    with target.read() as connection:
        is_begun = is_copy_begun(connection)
    if not is_begun:
        bring_up_to_date(target)
    with ExitStack() as stack:
        from_, to = (stack.enter_context(exclusive_use(it, wait, keep_rows=it is source)) for it in (source, target))
        with from_.begin():
            needed = _check_master_keys(from_, master_keys)
        if not is_begun:
            _begin(to)
        contents = _copy_tables(from_, to, progress)
        with to.begin():
            end_copy(to)
    return CopyReport(contents, needed)


def _check_master_keys(source: Connection, master_keys: MasterKeys | None) -> frozenset[str]:
    """Return the ids of the master keys that sessions depend on. Raise MasterKeyError if any key is not available."""
    needed = master_key_ids_of_families(source)
    if master_keys is not None:
        if missing := needed - set(master_keys):
            raise MasterKeyError(
                f"sessions depend on master key {', '.join(sorted(missing))}, which is not among those of the target: "
                "set secrets.master_key to the keys that the servers of the source use"
            )
        sealed = SealedKeys(master_keys)
        for key in load_signing_keys(source):
            if key.store == sealed.name and key.private_part:
                sealed.open(key)
    return needed


def _begin(target: Connection) -> None:
    """Mark the target as that of a copy. Raise AdminError if it holds more than what a migration inserts."""
    with target.begin():
        for table in TABLES:
            if table is not status_counter and count_rows(table, target):
                raise AdminError(f"the target is not empty (table {table.name}): copy into a new database")
        delete_rows(status_counter, target)
        begin_copy(target)


def _copy_tables(source: Connection, target: Connection, progress: Progress) -> dict[str, TableContent]:
    """Copy each table, then read it in both databases, and return what it holds. Raise AdminError if it differs."""
    with source.begin():
        # Each row is copied, and then read twice.
        total = 3 * sum(count_rows(it, source) for it in TABLES)
    contents = {}
    for table in TABLES:
        try:
            with closing(copy_rows(table, source, target)) as steps:
                for rows in steps:
                    progress(rows, total)
            content = read_content(table, source)
            if read_content(table, target) != content:
                raise NotACopyError(table.name)
        except NotACopyError:
            raise AdminError(
                f"table {table.name} of the target differs from the source: copy into a new database"
            ) from None
        progress(2 * content.rows, total)
        contents[table.name] = content
    return contents


def as_rows(report: CopyReport) -> list[dict[str, Any]]:
    """Return the report as rows of a table."""
    return [{"table": name, "rows": it.rows, "sha256": it.digest} for name, it in report.tables.items()]
