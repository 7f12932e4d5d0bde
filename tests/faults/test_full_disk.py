"""A full disk, or a file that may not grow: /readyz reports it, and its end."""

import resource
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from support.server_processes import server_process, wait_until

# The server writes a row every five seconds, and looks whether it is due every two.
CONSTANTS: Final = {
    "jeton.background.maintenance._REFRESH_SECONDS": "0.1",
    "jeton.background.shared_state._PROBE_SECONDS": "0.25",
}


@pytest.mark.requirement("O19")
def test_a_server_that_cannot_write_is_not_ready_until_it_can(sqlite_url: str, tmp_path: Path) -> None:
    # Its log is a file too: it cannot be written while the disk is full.
    with server_process(tmp_path, sqlite_url, begin_only=False, **CONSTANTS) as server:
        limit = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (0, limit[1]))
        wait_until(lambda: not server.answers("/readyz"), "not ready", 15)
        with pytest.raises(HTTPError) as refused:
            urlopen(server.url + "/readyz", timeout=5)
        assert (refused.value.code, b"database_not_writable" in refused.value.read()) == (503, True)
        refused.value.close()
        assert server.answers("/livez")

        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limit)
        wait_until(lambda: server.answers("/readyz"), "ready again", 15)
