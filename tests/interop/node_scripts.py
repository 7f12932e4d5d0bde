"""Scripts in JavaScript whose claims are tests of Node's own runner."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.node_packages import INTEROP, node_and_npm


def assert_script_passes(
    folder: Path, node_modules: Path, scripts: str, facts: Mapping[str, Any], **environment: str
) -> None:
    """Run the scripts with these facts of the server. Each of their tests must have run, and passed."""
    passed, output = run_scripts(folder, node_modules, scripts, JETON_LIVE=json.dumps(facts), **environment)
    # Some are in loops: at least this number must have run.
    text = "".join((INTEROP / script).read_text() for script in scripts.split())
    assert passed >= len(re.findall(r"^ *test\(", text, re.MULTILINE)), output


def run_scripts(folder: Path, node_modules: Path, scripts: str, **environment: str) -> tuple[int, str]:
    """Run the scripts in one process, because starting it takes longer than most of them.

    Return how many tests they passed (-1 if one failed or was not run), and what they printed.
    """
    node, _ = node_and_npm()
    shutil.copytree(INTEROP, folder, dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(node_modules)
    *others, last = scripts.split()
    command = [node, "--test-reporter=tap", *(f"--import=./{it}" for it in others), last]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=100, check=False
    )
    counts = {name: int(number) for name, number in re.findall(r"^# (\w+) (\d+)$", done.stdout, re.MULTILINE)}
    clean = done.returncode == 0 and counts["pass"] == counts["tests"]
    return (counts["pass"] if clean else -1), done.stdout + done.stderr
