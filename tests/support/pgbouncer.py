"""PgBouncer in front of a PostgreSQL database."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from support.programs import find_program
from support.server_processes import wait_until


@contextmanager
def pgbouncer(url: str, mode: str) -> Iterator[str]:
    """Start a pooler in this mode with two server connections. Yield the URL of the database through it."""
    program = find_program("pgbouncer", "pgbouncer")
    database = make_url(url)
    folder = Path(tempfile.mkdtemp(prefix="jeton-pgbouncer-", dir="/tmp"))
    (folder / "users").write_text('"jeton" ""\n')
    (folder / "ini").write_text(
        f"[databases]\n* = host={database.query['host']}\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n"
        f"unix_socket_dir = {folder}\nauth_type = trust\nauth_file = {folder}/users\npool_mode = {mode}\n"
        f"default_pool_size = 2\nmax_client_conn = 100\nlogfile = {folder}/log\n"
    )
    process = subprocess.Popen([program, "-q", folder / "ini"], **_unprivileged(folder))
    try:
        wait_until(lambda: _accepts(folder / ".s.PGSQL.6432"), "PgBouncer listens", 10)
        yield f"postgresql://jeton@/{database.database}?host={folder}&port=6432"
    finally:
        process.terminate()
        process.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> dict[str, Any]:
    """Return the options for another account if the tests run as root, as which PgBouncer refuses to run."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("postgres")
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
