"""A temporary PostgreSQL cluster from the system's binaries, reachable by a Unix socket only."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path
from typing import Any, Final

from support.programs import MissingProgramError

OPTIONS: Final = "-c listen_addresses= -c max_connections=500"
_CARELESS: Final = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"


@contextmanager
def postgresql_cluster(*, durable: bool = False) -> Iterator[str]:
    """Run a cluster until the end of the block. Yield the URL of its database `postgres`.

    Unless it is to be durable, commits do not wait for the disk.
    """
    folder = _start("" if durable else _CARELESS)
    try:
        yield _url(folder)
    finally:
        _stop(folder)


@contextmanager
def shared_cluster(meeting_point: Path, prepare: Callable[[str], object]) -> Iterator[str]:
    """Run one cluster for all processes with this folder. Yield its URL.

    The first process starts and prepares it, the last one to leave the block stops it.
    """
    record = meeting_point / "postgresql"
    with record.with_suffix(".users").open("w") as users:
        with _locked(record):
            if not record.exists():
                folder = _start(_CARELESS)
                prepare(_url(folder))
                record.write_text(str(folder), encoding="utf-8")
            folder = Path(record.read_text(encoding="utf-8"))
            flock(users, LOCK_SH)
        try:
            yield _url(folder)
        finally:
            with _locked(record), suppress(BlockingIOError):
                flock(users, LOCK_EX | LOCK_NB)
                record.unlink()
                _stop(folder)


@contextmanager
def _locked(record: Path) -> Iterator[None]:
    """Let one process at a time start or stop the cluster."""
    with record.with_suffix(".lock").open("w") as lock:
        flock(lock, LOCK_EX)
        yield


def _url(folder: Path) -> str:
    return f"postgresql://jeton@/postgres?host={folder}"


def _start(more: str) -> Path:
    """Start a cluster. Return the folder of its socket."""
    folder = Path(tempfile.mkdtemp(prefix="jeton-pg-", dir="/tmp"))
    account = _unprivileged_account()
    if account:
        os.chown(folder, account["user"], account["group"])
    _run(["initdb", "-D", folder / "data", "-U", "jeton", "--auth=trust", "-E", "UTF8", "--no-sync"])
    options = f"{OPTIONS} {more} -c unix_socket_directories={folder}"
    _run(["pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w", "start"])
    return folder


def _stop(folder: Path) -> None:
    _run(["pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop"])
    shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> str:
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        raise MissingProgramError("there is no initdb on this machine (Debian: apt-get install postgresql)")
    return str(folders[-1])


def _unprivileged_account() -> dict[str, Any]:
    """Return the options for another account if the tests run as root, as which PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise MissingProgramError("run as root, and there is no account `postgres` or `nobody` to run PostgreSQL as")


def _run(command: list[Any]) -> None:
    words = [f"{_binaries()}/{command[0]}", *map(str, command[1:])]
    subprocess.run(words, check=True, capture_output=True, timeout=60, cwd="/tmp", **_unprivileged_account())
