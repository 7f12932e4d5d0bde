"""Time from the start to the first response, and memory at the start and after load.

`PYTHONPATH=tests python benchmarks/footprint.py`. Memory is the proportional set size (PSS) of all server processes:
pages that several share count once.
"""

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import processor_time
from jeton.oauth.metadata import TOKEN_PATH
from load import Requests, window
from servers import measured_server

STARTS = 7
JETON = str(Path(sys.executable).with_name("jeton"))


def seconds_to_first_response(folder: Path, port: int, workers: int) -> float:
    """Start a server on its existing database, and return the seconds until /livez has answered."""
    began = time.monotonic()
    command = [JETON, "serve", "--port", str(port), "--workers", str(workers)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not has_answered(port):
            if process.poll() is not None:
                raise SystemExit("the server did not start")
        seconds = time.monotonic() - began
        process.terminate()
    return seconds


def has_answered(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return connection.recv(64).startswith(b"HTTP/1.1 200 ")
    time.sleep(0.002)
    return False


def megabytes(pid: int) -> float:
    """Return the memory of a process and its descendants."""
    pids = [pid, *processor_time.descendants(pid)]
    return sum(_kilobytes(Path(f"/proc/{it}/smaps_rollup").read_text(encoding="ascii")) for it in pids) / 1024


def _kilobytes(smaps: str) -> int:
    return next(int(line.split()[1]) for line in smaps.splitlines() if line.startswith("Pss:"))


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        seconds_to_first_response(folder, port, 1)  # creates the database and the keys
        for workers in (1, 2):
            times = [seconds_to_first_response(folder, port, workers) for _ in range(STARTS)]
            print(
                f"{workers} worker(s): first response after {statistics.median(times):.2f} s "
                f"({min(times):.2f}-{max(times):.2f})"
            )
    for kind in ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory() as name, measured_server(kind, Path(name)) as measured:
            tokens = measured.add_sessions(4096)
            at_start = megabytes(measured.pid)
            window(measured, Requests("refresh", TOKEN_PATH, tokens), 10)
            print(f"{kind}, 2 workers: {at_start:.0f} MB at the start, {megabytes(measured.pid):.0f} MB after load")


if __name__ == "__main__":
    main()
