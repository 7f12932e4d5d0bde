"""1,000 slow sockets: each is closed by its deadline, and the refreshes of other clients stay fast.

One worker on SQLite. A third of the sockets sends the head byte by byte, a third the body, and a third sends requests
and reads no response. Prints when they were closed and the latency of refreshes; the exit status is 0 if all were
closed in time and the 99th percentile stayed under 3 times that of the idle server. `PYTHONPATH=tests python
benchmarks/slow_sockets.py`.
"""

import argparse
import asyncio
import socket
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from jeton.http1.connection import BODY_SECONDS, HEAD_SECONDS, WRITE_SECONDS
from jeton.http1.connection_table import SWEEP_SECONDS
from servers import migrate_database
from support.refresh_load import Load, add_accounts, refresh_load
from support.server_processes import server_process

_HEAD: Final = b"POST /oauth/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
_LARGE: Final = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 100
# What a slow socket sends at once, then byte by byte, and the deadline that closes it.
KINDS: Final = {
    "slow head": (b"", _HEAD * 100, HEAD_SECONDS),
    "slow body": (_HEAD + b"Content-Length: 1000\r\n\r\n", b"a" * 1000, BODY_SECONDS),
    "slow reader": (_LARGE, b"", WRITE_SECONDS),
}
# For the sweep of the server, and for this process, which is busy with all of them.
_GRACE_SECONDS: Final = SWEEP_SECONDS + 2
_PAUSE_SECONDS: Final = 0.01
_SAMPLE_SECONDS: Final = 10


async def seconds_until_closed(port: int, kind: str, give_up: float) -> float:
    """Return how long the server keeps a socket of this kind open."""
    at_once, slowly, _ = KINDS[kind]
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        # Small, so that a response soon finds no more room.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        began = time.monotonic()
        sending = asyncio.create_task(send(connection, at_once, slowly))
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(give_up):
                # A slow reader learns only by sending that the connection is closed.
                while slowly and await loop.sock_recv(connection, 4096):
                    pass
                if not slowly:
                    await sending
        sending.cancel()
        await asyncio.wait([sending])
        return time.monotonic() - began


async def send(connection: socket.socket, at_once: bytes, slowly: bytes) -> None:
    """Send byte by byte, and an empty line from time to time at the end."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, at_once)
    for octet in slowly:
        await loop.sock_sendall(connection, bytes([octet]))
        await asyncio.sleep(1)
    while True:
        await loop.sock_sendall(connection, b"\r\n")
        await asyncio.sleep(0.2)


def open_sockets(port: int, count: int) -> list[tuple[str, float]]:
    """Open this number of sockets, of all kinds in turn. Return the kind and the lifetime in seconds of each."""

    async def run() -> list[tuple[str, float]]:
        give_up = max(deadline for *_, deadline in KINDS.values()) + 2 * _GRACE_SECONDS
        kinds = [kind for _, kind in zip(range(count), cycle(KINDS), strict=False)]
        closed = await asyncio.gather(*(seconds_until_closed(port, kind, give_up) for kind in kinds))
        return list(zip(kinds, closed, strict=True))

    return asyncio.run(run())


async def latencies(load: Load, seconds: float) -> list[float]:
    """Return the latencies of sequential refreshes of one session, in milliseconds."""
    (session,), times, end = load.sessions, [], time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        assert (await load.refresh(session)).status_code == 200
        times.append(1000 * (time.monotonic() - began))
        await asyncio.sleep(_PAUSE_SECONDS)
    return times


def p99(times: Iterable[float]) -> float:
    ordered = sorted(times)
    return ordered[int(len(ordered) * 0.99)]


async def measure(load: Load, port: int, count: int) -> bool:
    """Print the figures. Return whether all sockets were closed in time and others were not delayed."""
    await latencies(load, 2)
    idle = p99(await latencies(load, _SAMPLE_SECONDS))
    # In a process of its own, so that its work does not delay what is measured here.
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        closing = asyncio.get_running_loop().run_in_executor(process, open_sockets, port, count)
        attacked = p99(await latencies(load, _SAMPLE_SECONDS))
        closed = await closing
    in_time = True
    for kind, (*_, deadline) in KINDS.items():
        seconds = [it for of, it in closed if of == kind]
        in_time &= max(seconds) <= deadline + _GRACE_SECONDS
        print(f"{len(seconds)} times {kind}: closed after {min(seconds):.1f} to {max(seconds):.1f} s ({deadline} s)")
    print(f"p99 of refreshes: {idle:.1f} ms idle, {attacked:.1f} ms meanwhile, {attacked / idle:.2f} times (limit: 3)")
    return in_time and attacked < 3 * idle


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=1000)
    count = parser.parse_args().sockets
    with tempfile.TemporaryDirectory(prefix="jeton-slow-") as name:
        url = f"sqlite:///{name}/jeton.db"
        migrate_database(url)
        secret = add_accounts(url)
        with server_process(Path(name), url) as server:
            async with refresh_load([server.url], secret, keeps_alive=True) as load:
                await load.log_in(1)
                return 0 if await measure(load, server.port, count) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
