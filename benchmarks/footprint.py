"""Time from the start to the first response, and memory at the start and after load.

Memory is the proportional set size (PSS) of all server processes: pages that several share count once. Each function is
given the command `jeton` of an installation.
"""

import os
import statistics
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection
from typing import Final

import processor_time
from installation import installed_jeton
from jeton.oauth.metadata import TOKEN_PATH
from load import Requests, put_load
from servers import WORKERS, measured_server
from support.server_processes import free_port

STARTS: Final = 7
LOAD_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start to the first response, of several starts."""

    workers: int
    median: float
    shortest: float
    longest: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes of a server with two workers."""

    database: str
    at_start: float
    after_load: float


def measure_start(jeton: Path, workers: int) -> Start:
    """Measure starts on an existing SQLite database."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        seconds_to_first_response(jeton, Path(folder), port, 1)  # creates the database and the keys
        times = [seconds_to_first_response(jeton, Path(folder), port, workers) for _ in range(STARTS)]
    return Start(workers, statistics.median(times), min(times), max(times))


def seconds_to_first_response(jeton: Path, folder: Path, port: int, workers: int) -> float:
    """Start a server on its existing database, and return the seconds until /livez has answered."""
    began = time.monotonic()
    command = [str(jeton), "serve", "--port", str(port), "--workers", str(workers)]
    environment = {**os.environ, "JETON_METRICS__LISTEN": f"127.0.0.1:{free_port()}"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not has_answered(port):
            if process.poll() is not None:
                raise SystemExit("the server did not start")
        seconds = time.monotonic() - began
        process.terminate()
    return seconds


def has_answered(port: int) -> bool:
    with suppress(OSError), create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return connection.recv(64).startswith(b"HTTP/1.1 200 ")
    time.sleep(0.002)
    return False


def measure_memory(jeton: Path, database: str) -> Memory:
    with tempfile.TemporaryDirectory() as name, measured_server(database, Path(name), jeton) as measured:
        tokens = measured.add_sessions(4096)
        while len(processor_time.descendants(measured.pid)) < WORKERS:
            time.sleep(0.1)
        time.sleep(3)  # until the last worker has refreshed what it caches
        at_start = megabytes(measured.pid)
        put_load(measured, Requests("refresh", TOKEN_PATH, tokens), LOAD_SECONDS)
        return Memory(database, at_start, megabytes(measured.pid))


def megabytes(pid: int) -> float:
    """Return the memory of a process and its descendants."""
    pids = [pid, *processor_time.descendants(pid)]
    return sum(_kilobytes(Path(f"/proc/{it}/smaps_rollup").read_text(encoding="ascii")) for it in pids) / 1024


def _kilobytes(smaps: str) -> int:
    return next(int(line.split()[1]) for line in smaps.splitlines() if line.startswith("Pss:"))


if __name__ == "__main__":
    with installed_jeton() as command:
        for count in (1, 2):
            print(measure_start(command, count))
        for kind in ("sqlite", "postgresql"):
            print(measure_memory(command, kind))
