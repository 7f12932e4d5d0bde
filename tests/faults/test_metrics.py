"""Metrics of real processes: counts outlive workers, and the listener is where the setting says."""

import os
import signal
import socket
from pathlib import Path
from urllib.request import urlopen

import pytest

from support.metrics import series_in
from support.server_processes import ServerProcess, free_port, server_process, wait_until

SECONDS = 30
KEYS = "/.well-known/jwks.json"


def scrape(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        return str(response.read().decode())


def counted(port: int) -> float:
    return series_in(scrape(port), "jeton_http_request_duration_seconds_count", route=KEYS, status="200")


def request_keys(server: ServerProcess, times: int) -> None:
    assert all(server.answers(KEYS) for _ in range(times))


def await_count(port: int, count: int) -> None:
    """Wait until so many are counted: a client has its answer a moment before."""
    wait_until(lambda: counted(port) == count, f"{count} requests counted", SECONDS)


def test_metrics_are_neither_lost_nor_doubled_when_workers_are_replaced(sqlite_url: str, tmp_path: Path) -> None:
    port, folders = free_port(), tmp_path / "folders"
    folders.mkdir()
    variables = {"METRICS__LISTEN": f"127.0.0.1:{port}", "SERVER__DRAIN_SECONDS": "0"}
    with server_process(tmp_path, sqlite_url, "--workers", "2", begin_only=True, **variables) as server:
        server.kill()
        server.environment = {**server.environment, "TMPDIR": str(folders)}
        server.start()
        wait_until(lambda: len(server.workers) == 2, "two workers", SECONDS)
        request_keys(server, 40)
        await_count(port, 40)

        lost = min(server.workers)
        os.kill(lost, signal.SIGKILL)
        wait_until(lambda: len(server.workers - {lost}) == 2, "another worker", SECONDS)
        await_count(port, 40)
        request_keys(server, 40)
        await_count(port, 80)

        before = server.workers
        server.signal(signal.SIGHUP)
        wait_until(lambda: len(now := server.workers) == 2 and not now & before, "new workers", SECONDS)
        assert counted(port) == 80
        request_keys(server, 40)
        await_count(port, 120)
        files = {file.name for folder in folders.iterdir() for file in folder.iterdir()}
        assert {name.rpartition("_")[2] for name in files} <= {"0.db", "1.db", "2.db"}

        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert list(folders.iterdir()) == []


@pytest.mark.requirement("ME05")
def test_listener_is_on_loopback_or_where_the_setting_says_or_off(sqlite_url: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with server_process(tmp_path, sqlite_url, begin_only=True, METRICS__LISTEN=listen) as refused:
            assert refused.wait() != 0
            assert "metrics.listen" in refused.log
            assert "address already in use" in refused.log

    with server_process(tmp_path, sqlite_url) as off:
        assert "metrics" not in off.log


def test_server_starts_if_the_default_address_is_taken(sqlite_url: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Another server may have taken it already, with the same result.
        if taken.connect_ex(("127.0.0.1", 9464)) != 0:
            taken.bind(("127.0.0.1", 9464))
            taken.listen()
        with server_process(tmp_path, sqlite_url, METRICS__LISTEN="127.0.0.1:9464") as server:
            assert "without metrics" in server.log
            assert server.answers("/readyz")
