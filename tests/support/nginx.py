"""nginx with a configuration of its own, as a process of this user."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from support.server_processes import wait_until

_MAIN: Final = """
daemon off; master_process off; error_log stderr; pid {folder}/nginx.pid;
events {{}}
http {{
    types {{ text/html html; text/javascript js; text/css css; application/json json; }}
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {servers}
}}
"""


@contextmanager
def nginx(folder: Path, servers: str, port: int) -> Iterator[None]:
    """Serve with these blocks of `http`, one of which listens on the port. `folder` is for its files."""
    path = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    assert path, "nginx is not installed (Debian: apt-get install nginx-light)"
    file = folder / "nginx.conf"
    file.write_text(_MAIN.format(folder=folder, servers=servers), encoding="utf-8")
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen([path, "-c", file, "-p", folder], stdout=log, stderr=log)
    try:
        wait_until(lambda: process.poll() is not None or _listens(port), f"nginx on port {port}", 10)
        assert process.poll() is None, (folder / "nginx.log").read_text(encoding="utf-8")
        yield
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
