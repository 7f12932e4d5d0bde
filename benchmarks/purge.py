"""200,000 expired rows are deleted at full load: refreshes go on as before.

Two servers with two workers each, on SQLite and then on PostgreSQL, refresh in turn. One of them has the rows, half of
them sessions and half revoked access tokens, and deletes them by itself, as it does every minute. The exit status is 0
if it serves at least 90 % as many refreshes as the other, and their 99th percentile is under 1.5 times.
`PYTHONPATH=tests python benchmarks/purge.py` needs wrk.
"""

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from typing import Final

from sqlalchemy import func, select

from jeton.oauth.sessions import RevokedAccessToken
from jeton.storage.database import Database
from jeton.storage.families import insert_families
from jeton.storage.revoked_access_tokens import insert_revoked_access_tokens
from jeton.storage.tables import ended_tokens
from load import refresh
from servers import Measured, measured_server

RATE_GOAL: Final = 0.9
P99_LIMIT: Final = 1.5
SESSIONS: Final = 4096
MIN_PAIRS: Final = 3
MAX_PAIRS: Final = 12
_BATCH: Final = 5000
_INSERTED_PER_SECOND: Final = 5000
# Longer than the minute between two deletions.
_START_SECONDS: Final = 90

# Refreshes per second and their 99th percentile in milliseconds, of the server that deletes and of the other.
Pair = tuple[tuple[float, float], tuple[float, float]]


def insert_expired(measured: Measured, database: Database, rows: int) -> None:
    """Insert this number of rows, half of them sessions and half revoked access tokens, that expire afterwards."""
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


def wait_until_deleting(database: Database, rows: int) -> None:
    """Wait until the server has begun, so that fewer than this number of expired rows are left."""
    deadline = time.monotonic() + _START_SECONDS
    while count_left(database) >= rows:
        if time.monotonic() > deadline:
            raise SystemExit("the server does not delete expired rows")
        time.sleep(0.1)


def measure(deleting: Measured, idle: Measured, rows: int, seconds: int) -> tuple[list[Pair], float]:
    """Return what both servers do in turn while one deletes, and how many rows it deletes per second."""
    pairs: list[Pair] = []
    with closing(Database(deleting.database_url)) as database:
        insert_expired(deleting, database, rows)
        wait_until_deleting(database, rows)
        began, at_first, left = time.monotonic(), count_left(database), rows
        while len(pairs) < MAX_PAIRS:
            meanwhile = refresh(deleting, deleting.add_sessions(SESSIONS), seconds)
            left, ended = count_left(database), time.monotonic()
            if left == 0:
                break
            pairs.append((meanwhile, refresh(idle, idle.add_sessions(SESSIONS), seconds)))
            deleted_per_second = (at_first - left) / (ended - began)
    if len(pairs) < MIN_PAIRS:
        raise SystemExit(f"all rows were deleted within {len(pairs)} windows: take more rows")
    return pairs, deleted_per_second


def compare(kind: str, rows: int, seconds: int) -> bool:
    """Print the figures. Return whether the goals are met."""
    with ExitStack() as stack:
        deleting, idle = [
            stack.enter_context(measured_server(kind, Path(stack.enter_context(tempfile.TemporaryDirectory()))))
            for _ in range(2)
        ]
        pairs, deleted = measure(deleting, idle, rows, seconds)
    share = median(meanwhile[0] / without[0] for meanwhile, without in pairs)
    times = median(meanwhile[1] / without[1] for meanwhile, without in pairs)
    rate, p99 = (median(without[it] for _, without in pairs) for it in (0, 1))
    print(
        f"{kind}: {deleted:.0f} of {rows} expired rows deleted per second, {len(pairs)} windows of {seconds} s:",
        end=" ",
    )
    print(
        f"{100 * share:.0f} % of the refreshes of a server without them ({rate:.0f}/s; goal: {100 * RATE_GOAL:.0f} %)",
        end="",
    )
    print(f", p99 {times:.2f} times ({p99:.0f} ms; limit: {P99_LIMIT})", flush=True)
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
