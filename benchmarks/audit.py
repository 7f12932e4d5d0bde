"""Refreshes with the audit trail and without it, in one process and alternately: requests per second of processor time.

Prints the figures of both and their ratio; the exit status is 0 if refreshing with the trail is at least 90 % as fast.
`make audit` uses SQLite and, where it is installed, PostgreSQL, whose own processor time does not count.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import structlog

from servers import migrate_database
from support.in_process_server import App, Running, running, settings_for
from support.postgresql import postgresql_cluster
from support.programs import MissingProgramError

SESSIONS: Final = 20
REFRESHES: Final = 400
ROUNDS: Final = 8
REQUIRED: Final = 0.9


class _Silent:
    """A logger that discards its lines."""

    def info(self, _: str) -> None: ...

    warning = info


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Yield the URLs of empty databases, by name."""
    with tempfile.TemporaryDirectory() as folder:
        sqlite = {"SQLite": f"sqlite:///{Path(folder) / 'jeton.db'}"}
        with suppress(MissingProgramError), postgresql_cluster() as url:
            yield sqlite | {"PostgreSQL": url}
            return
        yield sqlite


async def measure(node: Running, app: App, tokens: list[str]) -> float:
    """Refresh all sessions until `REFRESHES` are done. Return the refreshes per second of processor time."""
    began = time.process_time()
    for _ in range(REFRESHES // SESSIONS):
        answers = await asyncio.gather(*(node.refreshed(app, it) for it in tokens))
        tokens[:] = [it["refresh_token"] for it in answers]
    return REFRESHES / (time.process_time() - began)


async def compare(url: str) -> tuple[float, float]:
    """Return the medians with the trail and without it."""
    migrate_database(url)
    figures: dict[bool, list[float]] = {True: [], False: []}
    async with running(settings_for(url)) as node:
        node.add_user()
        app = node.add_client()
        tokens = [(await node.log_in(app))["refresh_token"] for _ in range(SESSIONS)]
        trail = node.database.audit_trail
        await measure(node, app, tokens)
        for _ in range(ROUNDS):
            for on in (True, False):
                node.database.audit_trail = trail if on else None
                figures[on].append(await measure(node, app, tokens))
    return statistics.median(figures[True]), statistics.median(figures[False])


def main() -> None:
    passed = True
    structlog.configure(processors=[structlog.processors.JSONRenderer()], logger_factory=lambda *_: _Silent())
    with databases() as urls:
        for name, url in urls.items():
            on, off = asyncio.run(compare(url))
            passed &= on >= REQUIRED * off
            print(
                f"{name}: {on:.0f} refreshes per second of processor time, {off:.0f} without the trail: {on / off:.1%}"
            )
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
