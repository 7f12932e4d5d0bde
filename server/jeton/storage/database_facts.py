"""What the database says of itself, for diagnosis."""

import os
import shutil
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from jeton.frozen import Frozen
from jeton.storage.audit_privileges import AUDIT_TABLES, may_change_audit_trail
from jeton.storage.tables import metadata

_MOUNTS: Final = Path("/proc/self/mounts")
_DURABILITY: Final = ("fsync", "full_page_writes", "synchronous_commit")
_PRIVILEGES: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
# Of tables to which a server only adds rows.
_PRIVILEGES_TO_ADD: Final = ("SELECT", "INSERT")
_HAS_PRIVILEGE: Final = text("SELECT has_table_privilege(:table, :privilege)")
_NOW: Final = text("SELECT extract(epoch FROM clock_timestamp())::float8")


class PostgresqlFacts(Frozen):
    """Version, settings and clock. `durability` holds settings on which the durability of commits depends."""

    version: str
    version_number: int
    is_pooled: bool
    max_connections: int
    durability: Mapping[str, str]
    tables_without_privileges: tuple[str, ...]
    may_change_audit_trail: bool
    clock_ahead_seconds: float


class SqliteFacts(Frozen):
    """The file, whether this user may write it and its folder, and what it is stored on ("" if not known)."""

    file: Path
    version: str
    is_writable: bool
    file_system: str
    free_bytes: int


def load_postgresql_facts(connection: Connection) -> PostgresqlFacts:
    """Return the facts of a database with the current schema, over a connection for serving."""

    def show(name: str) -> str:
        return str(connection.scalar(text(f"SHOW {name}")))

    def has_privileges(table: str) -> bool:
        needed = _PRIVILEGES_TO_ADD if table in AUDIT_TABLES else _PRIVILEGES
        asked = ({"table": table, "privilege": it} for it in needed)
        return all(connection.scalar(_HAS_PRIVILEGE, it) for it in asked)

    return PostgresqlFacts(
        version=show("server_version"),
        version_number=int(show("server_version_num")),
        is_pooled=not connection.info["direct"],
        max_connections=int(show("max_connections")),
        durability={name: show(name) for name in _DURABILITY},
        tables_without_privileges=tuple(it for it in sorted(metadata.tables) if not has_privileges(it)),
        may_change_audit_trail=may_change_audit_trail(connection),
        clock_ahead_seconds=_clock_ahead(connection),
    )


def _clock_ahead(connection: Connection) -> float:
    """Return by how many seconds the database's clock is ahead of this machine's, halfway through the question."""
    before = time.time()
    database_now = float(connection.execute(_NOW).scalar_one())
    return database_now - (before + time.time()) / 2


def load_sqlite_facts(file: Path) -> SqliteFacts:
    """Return the facts of an existing file."""
    writable = os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)
    free = shutil.disk_usage(file.parent).free
    return SqliteFacts(file, sqlite3.sqlite_version, writable, _file_system_of(file), free)


def _file_system_of(file: Path) -> str:
    """Return the type of the file system, as in /proc/mounts; "" on systems without it."""
    try:
        mounts = [line.split() for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return ""
    folder = file.resolve().parent
    above = {mounted: kind for _, mounted, kind, *_ in mounts if folder.is_relative_to(mounted)}
    return above[max(above, key=len)] if above else ""
