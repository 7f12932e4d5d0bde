"""Ten minutes at full load through PgBouncer: no error.

Two workers on PostgreSQL through a PgBouncer in transaction mode, which has two connections to share, in turn with two
workers that are connected directly. The exit status is 0 if every refresh succeeded and the server logged no error.
`PYTHONPATH=tests python benchmarks/pooler.py` needs wrk and PgBouncer.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import mean, median
from typing import Final

from load import refresh
from servers import measured_server

SESSIONS: Final = 4096
WINDOW_SECONDS: Final = 60
# Enough for a ratio.
DIRECT_SECONDS: Final = 10


def errors(folder: Path) -> list[str]:
    """Return the errors that the server has logged."""
    lines = (folder / "log").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if '"level":"error"' in line or "Traceback" in line]


def measure(folder: Path, seconds: int) -> bool:
    """Print the figures. Return whether there was no error; raise SystemExit if a refresh failed."""
    with ExitStack() as stack:
        pooled, direct = [
            stack.enter_context(measured_server(kind, folder / kind)) for kind in ("pgbouncer", "postgresql")
        ]
        rates, direct_rates, slowest, left = [], [], 0.0, seconds
        while left > 0:
            rate, p99 = refresh(pooled, pooled.add_sessions(SESSIONS), min(WINDOW_SECONDS, left))
            rates.append(rate)
            slowest = max(slowest, p99)
            direct_rate, _ = refresh(direct, direct.add_sessions(SESSIONS), min(DIRECT_SECONDS, left))
            direct_rates.append(direct_rate)
            left -= WINDOW_SECONDS
    found = errors(folder / "pgbouncer")
    print(f"{seconds} s through PgBouncer: {mean(rates) * seconds:.0f} refreshes, {len(found)} errors;", end=" ")
    print(f"{median(rates):.0f}/s, {median(rates) / median(direct_rates):.2f} of a direct connection", end=" ")
    print(f"({median(direct_rates):.0f}/s); highest p99 of a minute {slowest:.0f} ms", flush=True)
    print(*sorted(set(found))[:20], sep="\n", end="")
    return not found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="jeton-pooler-") as name:
        folder = Path(name)
        for kind in ("pgbouncer", "postgresql"):
            (folder / kind).mkdir()
        return 0 if measure(folder, seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
