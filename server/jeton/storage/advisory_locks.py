"""Locks on what no row stands for, by PostgreSQL's advisory locks, until the end of a transaction.

SQLite needs none: there, a transaction that writes is alone.
"""

from enum import IntEnum
from typing import Final

from sqlalchemy import Connection, text

_ACQUIRE: Final = text("SELECT pg_advisory_xact_lock(:number)")
_TRY: Final = text("SELECT pg_try_advisory_xact_lock(:number)")


class AdvisoryLock(IntEnum):
    """What is locked, by a number that no other advisory lock of the database has."""

    MIGRATION = 7_461_000
    SIGNING_KEYS = 7_461_001
    WHOLE_DATABASE = 7_461_002
    DELETION = 7_461_003


def acquire(connection: Connection, lock: AdvisoryLock) -> None:
    """Lock, and wait for another transaction that has locked the same."""
    if connection.dialect.name == "postgresql":
        connection.execute(_ACQUIRE, {"number": lock})


def try_acquire(connection: Connection, lock: AdvisoryLock) -> bool:
    """Lock, and return True; return False at once if another transaction has locked the same."""
    if connection.dialect.name == "sqlite":
        return True
    return bool(connection.execute(_TRY, {"number": lock}).scalar_one())
