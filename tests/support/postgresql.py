"""A temporary PostgreSQL cluster from the system's binaries, reachable by a Unix socket only."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from support.programs import MissingProgramError

_OPTIONS: Final = "-c listen_addresses= -c max_connections=200"
_CARELESS: Final = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"


@contextmanager
def postgresql_cluster(*, durable: bool = False) -> Iterator[str]:
    """Run a cluster until the end of the block. Yield the URL of its database `postgres`.

    Unless it is to be durable, commits do not wait for the disk.
    """
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="jeton-pg-", dir="/tmp"))
    account = _unprivileged_account()
    if account:
        os.chown(folder, account["user"], account["group"])
    data = folder / "data"
    _run([f"{binaries}/initdb", "-D", data, "-U", "jeton", "--auth=trust", "-E", "UTF8", "--no-sync"], account)
    options = f"{_OPTIONS} {'' if durable else _CARELESS} -c unix_socket_directories={folder}"
    _run([f"{binaries}/pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start"], account)
    try:
        yield f"postgresql://jeton@/postgres?host={folder}"
    finally:
        _run([f"{binaries}/pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], account)
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


def _run(command: list[Any], account: dict[str, Any]) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=60, cwd="/tmp", **account)
