"""Node and its packages, installed once for each version of the lock file."""

import hashlib
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from support.checkout import ROOT
from support.programs import MissingProgramError, find_program

INTEROP: Final = ROOT / "tests" / "interop" / "javascript"
_OLDEST_NODE: Final = 20


@cache
def node_and_npm() -> tuple[str, str]:
    """Return the paths of node and npm."""
    node, npm = find_program("node", "npm"), find_program("npm", "npm")
    if _major(node) < _OLDEST_NODE:
        raise MissingProgramError(f"Node {_OLDEST_NODE} is needed, this machine has {_major(node)}")
    return node, npm


def _major(node: str) -> int:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    return int(version.removeprefix("v").partition(".")[0])


def installed_packages(cache: Path, source: Path = INTEROP) -> Path:
    """Install the packages of that source's lock file below `cache`, if needed. Return `node_modules`."""
    _, npm = node_and_npm()
    lock = (source / "package-lock.json").read_bytes()
    installed = cache / hashlib.sha256(lock).hexdigest()[:16]
    if not installed.is_dir():
        # Installed elsewhere first, so that concurrent test runs see either the complete folder or none.
        folder = Path(tempfile.mkdtemp(dir=cache))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, f"npm ci: {done.stdout}{done.stderr}"
        try:
            folder.rename(installed)
        except OSError:
            shutil.rmtree(folder)
    return installed / "node_modules"
