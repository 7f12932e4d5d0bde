"""Trial start: whether a server could start now, with the code as it is installed and the settings of this process."""

import subprocess
import sys
from typing import Final

from jeton.cli.processes.worker_process import UNRESPONSIVE_SECONDS

_PROGRAM: Final = "from jeton.bootstrap.server import check_start; check_start()"


def start_failure() -> str | None:
    """Build a server in another process and close it. Return why that failed, or None if it did not."""
    command = [sys.executable, "-c", _PROGRAM]
    try:
        done = subprocess.run(  # noqa: S603 - our own code
            command, capture_output=True, text=True, timeout=UNRESPONSIVE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it did not start within {UNRESPONSIVE_SECONDS} seconds"
    except OSError as error:
        return f"no process can be started: {error.strerror}"
    return None if done.returncode == 0 else done.stderr.strip().rpartition("\n")[2]
