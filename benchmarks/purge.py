"""200,000 expired rows are deleted at full load: refreshes go on as before.

Two workers, on SQLite and on PostgreSQL. The rows, half of them sessions and half revoked access tokens, expire while
refreshes are measured; the server deletes them by itself, as it does every minute. The exit status is 0 if, meanwhile,
at least 90 % as many refreshes succeed as before and after, and their 99th percentile is under 1.5 times.
`PYTHONPATH=tests python benchmarks/purge.py` needs wrk.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Final

from sqlalchemy import delete, func, select

from jeton.oauth.sessions import RevokedAccessToken
from jeton.storage.database import Database
from jeton.storage.families import insert_families
from jeton.storage.revoked_access_tokens import insert_revoked_access_tokens
from jeton.storage.tables import ended_tokens, families
from load import refresh
from servers import Measured, measured_server

RATE_GOAL: Final = 0.9
P99_LIMIT: Final = 1.5
SESSIONS: Final = 4096
WINDOWS: Final = 3
MAX_WINDOWS: Final = 12
_BATCH: Final = 5000
_INSERTED_PER_SECOND: Final = 5000
# Longer than the minute between two deletions.
_START_SECONDS: Final = 90

# Refreshes per second, and their 99th percentile in milliseconds.
Window = tuple[float, float]


def insert_expired(measured: Measured, database: Database, rows: int) -> None:
    """Insert so many rows, half of them sessions and half revoked access tokens, that expire when all are there."""
    ends = int(time.time()) + rows // _INSERTED_PER_SECOND
    for begin in range(0, rows // 2, _BATCH):
        numbers = range(begin, min(begin + _BATCH, rows // 2))
        sessions = [measured.new_session()._replace(idle_expires_at=ends, absolute_expires_at=ends) for _ in numbers]
        with database.write() as connection:
            insert_families(connection, sessions)
            insert_revoked_access_tokens(connection, [RevokedAccessToken(f"jti{it}", ends) for it in numbers])


def count_left(database: Database) -> int:
    """Return the number of expired rows: twice that of revoked access tokens, because there are no others."""
    with database.read() as connection:
        return 2 * (connection.scalar(select(func.count()).select_from(ended_tokens)) or 0)


def delete_the_rest(database: Database) -> None:
    """Delete what the server has not deleted yet."""
    with database.write() as connection:
        connection.execute(delete(ended_tokens))
        connection.execute(delete(families).where(families.c.absolute_expires_at <= int(time.time())))


def wait_until_deleting(database: Database, rows: int) -> None:
    """Wait until the server has begun, so that fewer than so many expired rows are left."""
    deadline = time.monotonic() + _START_SECONDS
    while count_left(database) >= rows:
        if time.monotonic() > deadline:
            raise SystemExit("the server does not delete expired rows")
        time.sleep(0.1)


def windows_while_deleting(database: Database, measuring: Iterator[Window]) -> tuple[list[Window], float]:
    """Return windows until all expired rows are deleted, and how many of them were deleted per second."""
    found: list[Window] = []
    began, at_first = time.monotonic(), count_left(database)
    deleted_per_second = 0.0
    for window in measuring:
        left = count_left(database)
        if left == 0:
            break
        found.append(window)
        deleted_per_second = (at_first - left) / (time.monotonic() - began)
        if len(found) == MAX_WINDOWS:
            break
    if not found:
        raise SystemExit("all rows were deleted within one window: take more rows")
    return found, deleted_per_second


def measure(measured: Measured, rows: int, seconds: int) -> tuple[list[Window], list[Window], float]:
    """Return windows without expired rows and with them, and how many rows were deleted per second."""

    def windows() -> Iterator[Window]:
        while True:
            yield refresh(measured, measured.add_sessions(SESSIONS), seconds)

    measuring = windows()
    with closing(Database(measured.database_url)) as database:
        without = list(islice(measuring, WINDOWS))
        insert_expired(measured, database, rows)
        wait_until_deleting(database, rows)
        during, deleted_per_second = windows_while_deleting(database, measuring)
        delete_the_rest(database)
        without += islice(measuring, WINDOWS)
    return without, during, deleted_per_second


def compare(kind: str, rows: int, seconds: int) -> bool:
    """Print the figures. Return whether the goals are met."""
    with (
        tempfile.TemporaryDirectory(prefix="jeton-purge-") as folder,
        measured_server(kind, Path(folder)) as measured,
    ):
        without, during, deleted = measure(measured, rows, seconds)
    (rate, p99), (rate_meanwhile, p99_meanwhile) = [
        (median(rate for rate, _ in it), median(p99 for _, p99 in it)) for it in (without, during)
    ]
    share, times = rate_meanwhile / rate, p99_meanwhile / p99
    print(f"{kind}: {rows} expired rows, {deleted:.0f} of them deleted per second in {len(during)} windows", end=" ")
    print(f"of {seconds} s; refreshes {rate:.0f}/s without, {rate_meanwhile:.0f}/s meanwhile:", end=" ")
    print(f"{100 * share:.0f} % (goal: {100 * RATE_GOAL:.0f} %); p99 {p99:.0f} ms, {p99_meanwhile:.0f} ms:", end=" ")
    print(f"{times:.2f} times (limit: {P99_LIMIT})", flush=True)
    return share >= RATE_GOAL and times < P99_LIMIT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    options = parser.parse_args()
    kinds = options.database or ["sqlite", "postgresql"]
    met = [compare(kind, options.rows, options.seconds) for kind in kinds]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
