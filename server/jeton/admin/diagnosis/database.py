"""Checks of the database: version, durability, privileges, connections, disk and clock."""

from collections.abc import Collection, Iterator
from typing import Final

from jeton.admin.diagnosis.findings import Finding, fail, in_words, ok, warn
from jeton.storage.audit_privileges import AUDIT_TABLES
from jeton.storage.database_facts import PostgresqlFacts, SqliteFacts

# The oldest version that the tests run on.
_TESTED_VERSION: Final = 150000
# Of each server process: the pool that SQLAlchemy makes.
CONNECTIONS_PER_WORKER: Final = 15
_MIN_FREE_BYTES: Final = 512 * 2**20
# SQLite relies on locks and shared memory, which these do not provide for several machines, or not reliably.
_NETWORK_FILE_SYSTEMS: Final = frozenset({"9p", "afs", "ceph", "cifs", "fuse.sshfs", "nfs", "nfs4", "smb3", "smbfs"})
_CLOCK_WARNING_SECONDS: Final = 5
_CLOCK_FAILURE_SECONDS: Final = 60


def check_postgresql(facts: PostgresqlFacts, workers: int) -> Iterator[Finding]:
    """Yield what is found of a PostgreSQL that can be reached. `workers` are the processes of one server."""
    how = "through a connection pooler" if facts.is_pooled else "directly"
    yield ok("database", f"PostgreSQL {facts.version}, reached {how}")
    if facts.version_number < _TESTED_VERSION:
        yield warn("database", f"PostgreSQL {facts.version} is older than 15", "upgrade it: Jeton is tested with 15")
    for name, value in facts.durability.items():
        if value == "off":
            yield warn("database", f"{name} is off: a crash loses commits that were answered", f"set {name} = on")
    if facts.tables_without_privileges:
        yield fail(
            "database",
            f"the role lacks privileges on {', '.join(facts.tables_without_privileges)}",
            f"their owner must {'; '.join(_grants(facts.tables_without_privileges))}",
        )
    yield _check_audit_trail(may_change=facts.may_change_audit_trail)
    needed = workers * CONNECTIONS_PER_WORKER
    if not facts.is_pooled and needed > facts.max_connections:
        yield warn(
            "database",
            f"{workers} workers may open {needed} connections, and max_connections is {facts.max_connections}",
            "raise max_connections, use fewer workers, or put PgBouncer in between",
        )
    yield from _check_clock(facts.clock_ahead_seconds)


def _grants(tables: Collection[str]) -> Iterator[str]:
    """Yield what to grant, on these tables only: a role that can only add to the audit trail stays such a role."""
    added_to = [it for it in tables if it in AUDIT_TABLES]
    if others := [it for it in tables if it not in AUDIT_TABLES]:
        yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(others)} TO it"
    if added_to:
        yield f"GRANT SELECT, INSERT ON {', '.join(added_to)} TO it"


def _check_audit_trail(*, may_change: bool) -> Finding:
    """Return whether an attacker who takes over the server could change what has been recorded."""
    if may_change:
        advice = "docs/operations/audit.md says how to use a role that can only add records"
        return ok("audit trail", "the role may change and delete records", advice)
    return ok("audit trail", "the role can only add records")


def _check_clock(ahead_seconds: float) -> Iterator[Finding]:
    """Yield whether the clocks of the database and of this machine agree. Servers use the database's (ADR 0004)."""
    apart = abs(ahead_seconds)
    if apart < _CLOCK_WARNING_SECONDS:
        yield ok("clock", "the database's clock and this machine's agree")
        return
    report = fail if apart >= _CLOCK_FAILURE_SECONDS else warn
    where = "ahead of" if ahead_seconds > 0 else "behind"
    advice = "set both with NTP: tokens contain the database's time, and services compare it with their own"
    yield report("clock", f"the database's clock is {in_words(apart)} {where} this machine's", advice)


def check_sqlite(facts: SqliteFacts) -> Iterator[Finding]:
    """Yield what is found of an SQLite file and the folder it is in."""
    yield ok("database", f"SQLite {facts.version}, {facts.file}")
    if not facts.is_writable:
        yield fail(
            "database",
            f"this user may not write {facts.file} or its folder",
            "give both to the user that Jeton runs as, and run this command as that user",
        )
    if facts.file_system in _NETWORK_FILE_SYSTEMS:
        yield fail(
            "database",
            f"{facts.file} is on a network file system ({facts.file_system}), on which SQLite loses data",
            "move it to a local disk, or use PostgreSQL",
        )
    if facts.free_bytes < _MIN_FREE_BYTES:
        yield warn("database", f"{facts.free_bytes // 2**20} MiB are free on its disk", "free some space")


def check_writable(*, writable: bool) -> Finding:
    """Return whether a row could be written, as servers try every five seconds."""
    if writable:
        return ok("database", "accepts writes")
    return fail(
        "database",
        "does not accept writes: a standby, a read-only or full disk, or a missing privilege",
        "name the primary, or every host, in database.url; free some space; grant the privileges",
    )
