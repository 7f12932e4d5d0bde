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
    folder: Path, node_modules: Path, script: str, facts: Mapping[str, Any], **environment: str
) -> None:
    """Run the script with these facts of the server. Each of its tests must have run, and passed."""
    passed, output = run_script(folder, node_modules, script, JETON_LIVE=json.dumps(facts), **environment)
    # Some are in loops: at least this number must have run.
    assert passed >= len(re.findall(r"^ *test\(", (INTEROP / script).read_text(), re.MULTILINE)), output


def run_script(folder: Path, node_modules: Path, script: str, **environment: str) -> tuple[int, str]:
    """Return how many tests the script passed (-1 if one failed or was not run), and what it printed."""
    node, _ = node_and_npm()
    shutil.copytree(INTEROP, folder, dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(node_modules)
    command = [node, "--test", "--test-reporter=tap", script]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=100, check=False
    )
    counts = {name: int(number) for name, number in re.findall(r"^# (\w+) (\d+)$", done.stdout, re.MULTILINE)}
    clean = done.returncode == 0 and counts["pass"] == counts["tests"]
    return (counts["pass"] if clean else -1), done.stdout + done.stderr
