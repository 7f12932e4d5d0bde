"""Worker processes: replaced when they are lost, reloaded by SIGHUP, ended with their parent."""

import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from support.crashable_postgresql import children_of
from support.server_processes import ServerProcess, server_process, wait_until

SECONDS = 20


@pytest.fixture
def url(sqlite_template_of_today: Path, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/jeton.db"


def workers_of(server: ServerProcess) -> set[int]:
    return set(children_of(server.pid))


def is_running(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_killed_worker_is_replaced(url: str, tmp_path: Path) -> None:
    with server_process(tmp_path, url, "--workers", "2") as server:
        wait_until(lambda: len(workers_of(server)) == 2, "two workers", SECONDS)
        lost = min(workers_of(server))

        os.kill(lost, signal.SIGKILL)

        wait_until(lambda: len(workers_of(server) - {lost}) == 2, "another worker", SECONDS)
        assert server.answers("/readyz")


@pytest.mark.slow
def test_worker_that_hangs_is_killed_and_replaced(url: str, tmp_path: Path) -> None:
    with server_process(tmp_path, url, "--workers", "2") as server:
        wait_until(lambda: len(workers_of(server)) == 2, "two workers", SECONDS)
        hanging = min(workers_of(server))

        os.kill(hanging, signal.SIGSTOP)

        wait_until(lambda: len(workers_of(server) - {hanging}) == 2, "another worker", 60)
        assert f"[{hanging}] hangs" in server.log


@pytest.mark.slow
def test_worker_that_hangs_does_not_keep_the_server_from_ending(url: str, tmp_path: Path) -> None:
    with server_process(tmp_path, url, "--workers", "2") as server:
        wait_until(lambda: len(workers_of(server)) == 2, "two workers", SECONDS)
        workers = workers_of(server)
        os.kill(min(workers), signal.SIGSTOP)

        server.signal(signal.SIGTERM)

        wait_until(lambda: not any(map(is_running, workers)), "the workers' end", 60)
        assert server.wait() == 0


def test_signals_for_the_parent_do_not_end_workers(url: str, tmp_path: Path) -> None:
    with server_process(tmp_path, url, "--workers", "2") as server:
        wait_until(lambda: len(workers_of(server)) == 2, "two workers", SECONDS)
        before = workers_of(server)

        for number in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGHUP):
            for worker in before:
                os.kill(worker, number)

        assert server.answers("/readyz")
        assert workers_of(server) == before


def test_workers_end_when_their_parent_is_killed(url: str, tmp_path: Path) -> None:
    with server_process(tmp_path, url, "--workers", "2") as server:
        wait_until(lambda: len(workers_of(server)) == 2, "two workers", SECONDS)
        workers = workers_of(server)

        os.kill(server.pid, signal.SIGKILL)
        server.wait()

        wait_until(lambda: not any(map(is_running, workers)), "the workers' end", SECONDS)
        socket.create_server(("127.0.0.1", server.port)).close()


def test_signals_add_and_remove_a_worker(url: str, tmp_path: Path) -> None:
    with server_process(tmp_path, url, "--workers", "2") as server:
        wait_until(lambda: len(workers_of(server)) == 2, "two workers", SECONDS)

        server.signal(signal.SIGTTIN)
        wait_until(lambda: len(workers_of(server)) == 3, "a third worker", SECONDS)
        server.signal(signal.SIGTTOU)
        wait_until(lambda: len(workers_of(server)) == 2, "two workers again", SECONDS)

        assert server.answers("/readyz")


def test_sighup_loads_settings_and_code_again_in_the_same_process(url: str, tmp_path: Path) -> None:
    settings = tmp_path / "jeton.toml"
    settings.write_text("[server]\nworkers = 2\n", encoding="utf-8")
    with server_process(tmp_path, url, "--config", str(settings)) as server:
        wait_until(lambda: len(workers_of(server)) == 2, "two workers", SECONDS)
        before = workers_of(server)
        settings.write_text("[server]\nworkers = 3\n", encoding="utf-8")

        server.signal(signal.SIGHUP)

        wait_until(
            lambda: len(workers_of(server)) == 3 and not workers_of(server) & before, "three other workers", SECONDS
        )
        assert server.answers("/readyz")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


def test_sighup_that_could_not_start_leaves_the_workers(url: str, tmp_path: Path) -> None:
    settings = tmp_path / "jeton.toml"
    settings.write_text("[server]\nworkers = 2\n", encoding="utf-8")
    with server_process(tmp_path, url, "--config", str(settings)) as server:
        wait_until(lambda: len(workers_of(server)) == 2, "two workers", SECONDS)
        before = workers_of(server)
        settings.write_text("[server]\nworkers = 'many'\n", encoding="utf-8")

        server.signal(signal.SIGHUP)

        wait_until(lambda: "Restart refused" in server.log, "the refusal", SECONDS)
        assert "server.workers" in server.log
        assert workers_of(server) == before
        assert server.answers("/readyz")


def test_failed_start_is_reported_once(url: str, tmp_path: Path) -> None:
    with server_process(tmp_path, "postgresql://jeton@127.0.0.1:9/jeton", "--workers", "2", begin_only=True) as server:
        assert server.wait() == 1

        (line,) = server.log.splitlines()
        assert line.startswith("jeton: the database cannot be used: ")
