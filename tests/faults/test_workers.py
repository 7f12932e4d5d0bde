"""Worker processes: replaced when they are lost, reloaded by SIGHUP, ended with their parent."""

import os
import resource
import signal
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.server_processes import (
    ServerProcess,
    environment,
    free_port,
    is_listening,
    server_process,
    wait_until,
)

SECONDS = 60


def settings(folder: Path, workers: object) -> Path:
    """Write the configuration file of the server in this folder."""
    file = folder / "jeton.toml"
    file.write_text(f"[server]\nworkers = {workers}\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def server(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with two workers, which each test leaves running."""
    folder = tmp_path_factory.mktemp("workers")
    file = str(settings(folder, 2))
    with server_process(folder, module_sqlite_url, "--config", file, SERVER__DRAIN_SECONDS="0") as process:
        await_workers(process, 2)
        yield process


@pytest.fixture
def own_server(sqlite_url: str, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with two workers, which the test may end."""
    with server_process(tmp_path, sqlite_url, "--workers", "2", SERVER__DRAIN_SECONDS="0") as process:
        await_workers(process, 2)
        yield process


def await_workers(server: ServerProcess, count: int, without: Collection[int] = ()) -> None:
    """Wait until the server has this number of workers, of which none is among `without`."""
    what = f"{count} workers, none of {without}"
    wait_until(lambda: len(now := server.workers) == count and not now.intersection(without), what, SECONDS)


def is_running(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_killed_worker_is_replaced(server: ServerProcess) -> None:
    lost = min(server.workers)

    os.kill(lost, signal.SIGKILL)

    await_workers(server, 2, without={lost})
    assert server.answers("/readyz")


@pytest.mark.slow
def test_worker_that_hangs_is_killed_and_replaced(server: ServerProcess) -> None:
    hanging = min(server.workers)

    os.kill(hanging, signal.SIGSTOP)

    await_workers(server, 2, without={hanging})
    assert f"[{hanging}] hangs" in server.log


@pytest.mark.slow
def test_worker_that_hangs_does_not_keep_the_server_from_ending(own_server: ServerProcess) -> None:
    workers = own_server.workers
    os.kill(min(workers), signal.SIGSTOP)

    own_server.signal(signal.SIGTERM)

    wait_until(lambda: not any(map(is_running, workers)), "the workers' end", SECONDS)
    assert own_server.wait() == 0


def test_signals_for_the_parent_do_not_end_workers(server: ServerProcess) -> None:
    before = server.workers

    for number in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGHUP):
        for worker in before:
            os.kill(worker, number)

    assert server.answers("/readyz")
    assert server.workers == before


@pytest.mark.parametrize("before", [(), (signal.SIGHUP,)], ids=["serving", "replacing workers"])
def test_second_signal_ends_a_server_at_once(
    before: tuple[signal.Signals, ...], sqlite_url: str, tmp_path: Path
) -> None:
    with server_process(tmp_path, sqlite_url, "--workers", "2", SERVER__DRAIN_SECONDS="300") as server:
        await_workers(server, 2)
        for number in before:
            server.signal(number)
            await_workers(server, 3)

        def ends() -> bool:
            with suppress(ProcessLookupError):
                server.signal(signal.SIGTERM)
            return server.process is not None and server.process.poll() is not None

        wait_until(ends, "the server's end", SECONDS)
        assert server.wait() == 0


def test_workers_end_when_their_parent_is_killed(own_server: ServerProcess) -> None:
    workers = own_server.workers

    os.kill(own_server.pid, signal.SIGKILL)
    own_server.wait()

    wait_until(lambda: not any(map(is_running, workers)), "the workers' end", SECONDS)
    assert not is_listening(own_server.port)


def test_parent_that_cannot_fork_keeps_its_workers_and_tries_again(own_server: ServerProcess) -> None:
    lost = min(own_server.workers)
    soft, hard = resource.prlimit(own_server.pid, resource.RLIMIT_NOFILE)
    # It has more open than that already: no channel to another process can be opened.
    resource.prlimit(own_server.pid, resource.RLIMIT_NOFILE, (3, hard))

    own_server.signal(signal.SIGHUP)
    wait_until(lambda: "Restart refused" in own_server.log, "the refusal", SECONDS)
    os.kill(lost, signal.SIGKILL)
    wait_until(lambda: "No child process can be started" in own_server.log, "the failure", SECONDS)

    assert own_server.answers("/readyz")
    resource.prlimit(own_server.pid, resource.RLIMIT_NOFILE, (soft, hard))
    await_workers(own_server, 2, without={lost})


def test_signals_add_and_remove_a_worker(server: ServerProcess) -> None:
    server.signal(signal.SIGTTIN)
    await_workers(server, 3)
    server.signal(signal.SIGTTOU)
    await_workers(server, 2)

    assert server.answers("/readyz")


def test_sighup_loads_settings_and_code_again_in_the_same_process(server: ServerProcess) -> None:
    before = server.workers
    settings(server.folder, 3)

    server.signal(signal.SIGHUP)

    await_workers(server, 3, without=before)
    assert server.answers("/readyz")
    server.signal(signal.SIGTTOU)
    await_workers(server, 2)


def test_sighup_with_invalid_settings_keeps_the_workers(server: ServerProcess) -> None:
    before = server.workers
    settings(server.folder, "'many'")

    server.signal(signal.SIGHUP)

    wait_until(lambda: "Restart refused" in server.log, "the refusal", SECONDS)
    assert "server.workers" in server.log
    assert server.workers == before
    assert server.answers("/readyz")


def test_failed_start_is_reported_once(tmp_path: Path) -> None:
    with server_process(tmp_path, "postgresql://jeton@127.0.0.1:9/jeton", "--workers", "2", begin_only=True) as server:
        assert server.wait() == 1

        (line,) = server.log.splitlines()
        assert line.startswith("jeton: the database cannot be used: ")


def test_signal_that_a_thread_of_a_library_takes_waits_until_the_parent_has_time(
    sqlite_url: str, tmp_path: Path, installed_command: None
) -> None:
    thread = "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    (tmp_path / "sitecustomize.py").write_text(thread, encoding="utf-8")
    variables = environment(sqlite_url, SERVER__DRAIN_SECONDS="0")
    variables["PYTHONPATH"] = os.pathsep.join([str(tmp_path), variables["PYTHONPATH"]])
    with ServerProcess(free_port(), tmp_path, variables, ("--workers", "2")).serving() as server:
        await_workers(server, 2)
        server.signal(signal.SIGHUP)
        wait_until(lambda: len(server.workers) == 3, "the process that tries the start", SECONDS)

        server.signal(signal.SIGTERM)

        assert server.wait() == 0
