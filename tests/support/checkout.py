"""The tracked files of the repository, as a fresh checkout has them. A file that was not added is missing."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def tracked_files() -> list[Path]:
    """Return the tracked files, relative to the root, without those deleted from the working tree."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).exists()]


def copy_tracked_files(folder: Path) -> Path:
    """Copy each tracked file of the working tree into the folder. Return the folder."""
    for file in tracked_files():
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, target)
    return folder
