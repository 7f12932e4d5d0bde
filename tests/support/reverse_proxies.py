"""Reverse proxies with their own configurations, run by the current user."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from support.programs import find_program
from support.server_processes import is_listening, wait_until

_NGINX: Final = """
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
def reverse_proxy(folder: Path, port: int, program: str, *words: str) -> Iterator[None]:
    """Run this program, which listens on the port, until the end of the block. `folder` is for its log."""
    log = folder / f"{program}.log"
    with log.open("wb") as output:
        process = subprocess.Popen([find_program(program, program), *words], stdout=output, stderr=output)
    try:
        wait_until(lambda: process.poll() is not None or is_listening(port), f"{program} on port {port}", 20)
        assert process.poll() is None, log.read_text(encoding="utf-8")
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def nginx(folder: Path, servers: str, port: int) -> Iterator[None]:
    """Serve with these blocks of `http`, one of which listens on the port. `folder` is for its files."""
    file = folder / "nginx.conf"
    file.write_text(_NGINX.format(folder=folder, servers=servers), encoding="utf-8")
    with reverse_proxy(folder, port, "nginx", "-c", str(file), "-p", str(folder)):
        yield
