"""The files that git knows, as a fresh checkout would have them: what somebody forgot to add is missing there too."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def tracked_files() -> list[Path]:
    """Relative to the root, those that were deleted but not yet committed left out."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).exists()]


def copy_tracked_files(folder: Path) -> Path:
    """The folder, with a copy of each, as it is in the working tree."""
    for file in tracked_files():
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, target)
    return folder
