"""An installation as people run it: the locked dependencies of the server, without those of its development."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).parents[1]


@contextmanager
def installed_jeton() -> Iterator[Path]:
    """Install the checkout and its locked dependencies in a virtual environment. Yield the command `jeton` of it."""
    with tempfile.TemporaryDirectory(prefix="jeton-installation-") as folder:
        commands = Path(folder) / "bin"
        pip = [str(commands / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        _run(sys.executable, "-m", "venv", folder)
        _run(*pip, "--require-hashes", "-r", _ROOT / "requirements.txt")
        _run(*pip, "--no-build-isolation", "-e", _ROOT)
        yield commands / "jeton"


def _run(*words: str | Path) -> None:
    subprocess.run(words, check=True)
