"""The database is away for two minutes under load: no session is lost, and the server recovers by itself.

PostgreSQL crashes and is started again; then, with new sessions, it hangs (SIGSTOP). Meanwhile key set, metadata and
/livez must answer 200, and everything else 503 with Retry-After. Sessions repeat refreshes with their Idempotency-Key:
most without a pause, some as the client library does, and some for the whole outage, because they lost a response just
before it. The exit status is 0 if the first refresh succeeds within 5 seconds of the database's return, each session
continues, and no token can be spent twice. `PYTHONPATH=tests python benchmarks/outage.py`.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jeton_client import AsyncTokenSession, Client, ServerUnavailableError
from kills import use_every_token
from servers import migrate_database
from support.crashable_postgresql import Cluster
from support.database_outage import assert_documents_answered, assert_temporary_in_time
from support.in_process_server import PASSWORD
from support.postgresql import postgresql_cluster
from support.refresh_load import (
    CLIENT_ID,
    USERNAME,
    Load,
    Session,
    add_accounts,
    assert_nothing_lost_or_doubled,
    refresh_load,
)
from support.server_processes import ServerProcess, server_process

SESSIONS: Final = 32
LOST: Final = 4
OF_LIBRARY: Final = 8
RECOVERY_SECONDS: Final = 5
# The client library pauses up to 30 seconds, and Retry-After adds to it.
_LIBRARY_SECONDS: Final = 60
_LOOK_SECONDS: Final = 0.5


@dataclass
class LibrarySession:
    """A session of the client library that renews its token again and again, as an app whose token is rejected."""

    session: AsyncTokenSession
    renewals: int = 0

    async def run(self) -> None:
        """Raise LoginRequiredError if the session is lost."""
        token = await self.session.access_token()
        while True:
            try:
                token = await self.session.renew(token)
                self.renewals += 1
            except ServerUnavailableError as error:
                await asyncio.sleep(error.retry_after)


@asynccontextmanager
async def library_sessions(issuer: str, secret: str) -> AsyncIterator[list[LibrarySession]]:
    """Sessions of the client library under load, until the end of the block. Raise what ended one of them."""
    found = [LibrarySession(AsyncTokenSession(issuer, Client(CLIENT_ID, secret))) for _ in range(OF_LIBRARY)]
    for it in found:
        await it.session.log_in(USERNAME, PASSWORD)
    tasks = [asyncio.create_task(it.run()) for it in found]
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for it in found:
            await it.session.close()
    assert all(isinstance(it, asyncio.CancelledError) for it in ended), ended


async def lose_response(load: Load, session: Session) -> None:
    """Refresh, as if the response had not arrived: the client then repeats a refresh that was committed."""
    token = session.token
    assert (await load.refresh(session)).status_code == 200
    session.token = token


async def check_answers(load: Load, resting: list[Session], seconds: float) -> None:
    """Check for this number of seconds the responses without a database. Raise AssertionError if it is wrong."""
    ends = time.monotonic() + seconds
    # What was committed before the failure may still be answered.
    await asyncio.sleep(_LOOK_SECONDS)
    succeeded = load.statuses[200]
    while time.monotonic() < ends:
        await assert_documents_answered(load)
        await assert_temporary_in_time(load, resting)
        await asyncio.sleep(_LOOK_SECONDS)
    assert load.statuses[200] == succeeded


async def seconds_until_success(load: Load, recover: Callable[[], None]) -> float:
    """Return how long after the database's return the first refresh succeeds."""
    succeeded = load.statuses[200]
    await asyncio.to_thread(recover)
    returned = time.monotonic()
    await load.until(lambda: load.statuses[200] > succeeded, "the first success", RECOVERY_SECONDS)
    return time.monotonic() - returned


async def until_renewed(load: Load, of_library: list[LibrarySession]) -> None:
    """Wait until each session of the library has been renewed once more."""
    before = [it.renewals for it in of_library]
    await load.until(
        lambda: all(it.renewals > was for it, was in zip(of_library, before, strict=True)),
        "a renewal of each session of the client library",
        _LIBRARY_SECONDS,
    )


async def measure(load: Load, server: ServerProcess, url: str, secret: str, kind: str, seconds: float) -> None:
    """Print the figures. Raise AssertionError if a session is lost or an answer is wrong."""
    cluster = Cluster(url)
    fail, recover = {
        "crash": (lambda: cluster.stop("immediate"), cluster.start),
        "hang": (cluster.hang, cluster.resume),
    }[kind]
    busy, lost = await load.log_in(SESSIONS), await load.log_in(LOST)
    resting = await load.log_in(3, sends_keys=False)
    async with library_sessions(server.url, secret) as of_library, load.running(busy):
        await until_renewed(load, of_library)
        for session in lost:
            await lose_response(load, session)
        await asyncio.to_thread(fail)
        async with load.running(lost):
            await check_answers(load, resting, seconds)
            refused = load.statuses[503]
            first = await seconds_until_success(load, recover)
            load.sessions = [*busy, *lost]
            await load.until_answered(2)
            await until_renewed(load, of_library)
    assert load.losses == []
    assert load.statuses.keys() == {200, 503}
    load.sessions += resting
    assert_nothing_lost_or_doubled(url, load.sessions)
    repeated = server.log.count('"reason":"retried"')
    await use_every_token(load, url)
    print(f"{kind}: {seconds:.0f} s without database: documents answered 200, {refused} refreshes 503;", end=" ")
    print(f"first success {first:.1f} s after its return; {repeated} committed refreshes were repeated;", end=" ")
    print(f"{len(load.sessions) + OF_LIBRARY} sessions, none lost, no token spent twice", flush=True)


async def run(kind: str, seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="jeton-outage-") as folder, postgresql_cluster(durable=True) as url:
        migrate_database(url)
        secret = add_accounts(url)
        with server_process(Path(folder), url) as server:
            async with refresh_load([server.url], secret) as load:
                await measure(load, server, url, secret, kind, seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=120)
    seconds = parser.parse_args().seconds
    for kind in ("crash", "hang"):
        asyncio.run(run(kind, seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
