"""openid-client, oauth4webapi and jose against a live server: their claims are tests of Node's own runner.

What they need is installed from the lock into pytest's cache folder, outside the source and ignored by git.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import pytest

from interop.live_server import AUDIENCE, Live

SOURCE: Final = Path(__file__).parent / "javascript"
_OLDEST_NODE: Final = 20


def _node_and_npm() -> tuple[str, str]:
    """Where they are; without them the tests are skipped, and on CI they fail."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing = "JAVASCRIPT CLIENTS NOT RUN: there is no node or no npm on this machine (Debian: apt-get install npm)"
    elif _major(node) < _OLDEST_NODE:
        missing = f"JAVASCRIPT CLIENTS NOT RUN: they need Node {_OLDEST_NODE}, this machine has {_major(node)}"
    else:
        return node, npm
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def _major(node: str) -> int:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    return int(version.removeprefix("v").partition(".")[0])


@pytest.fixture(scope="session")
def node_modules(pytestconfig: pytest.Config) -> Path:
    """The packages of the lock, installed once and kept for as long as the lock stays the same."""
    _, npm = _node_and_npm()
    lock = (SOURCE / "package-lock.json").read_bytes()
    cache = pytestconfig.cache.mkdir("javascript")
    installed = cache / hashlib.sha256(lock).hexdigest()[:16]
    if not installed.is_dir():
        # Elsewhere first: whoever runs at the same time sees all of it or nothing.
        folder = Path(tempfile.mkdtemp(dir=cache))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, f"npm ci: {done.stdout}{done.stderr}"
        try:
            folder.rename(installed)
        except OSError:
            shutil.rmtree(folder)
    return installed / "node_modules"


def run_script(folder: Path, node_modules: Path, script: str, environment: dict[str, str]) -> tuple[int, str]:
    """How many tests the script passed, and what it printed; -1 where one failed or was not run."""
    node, _ = _node_and_npm()
    shutil.copytree(SOURCE, folder, dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(node_modules)
    command = [node, "--test", "--test-reporter=tap", script]
    environment = {**os.environ, **environment}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    counts = {name: int(number) for name, number in re.findall(r"^# (\w+) (\d+)$", done.stdout, re.MULTILINE)}
    clean = done.returncode == 0 and counts["pass"] == counts["tests"]
    return (counts["pass"] if clean else -1), done.stdout + done.stderr


def claims_of(script: str) -> int:
    """At least so many tests must have run: every `test(` of the script, some of which stand in loops."""
    return len(re.findall(r"^ *test\(", (SOURCE / script).read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("script", "package"),
    [
        ("openid-client.mjs", "openid-client"),
        ("oauth4webapi.mjs", "oauth4webapi"),
        ("jose.mjs", "jose-v5"),
        ("jose.mjs", "jose-v6"),
    ],
    ids=["openid-client", "oauth4webapi", "jose-v5", "jose-v6"],
)
@pytest.mark.requirement("A05", "A06", "A32", "C01", "D03", "E01", "F13", "G01", "G02", "H01", "H04")
def test_all_claims_of_a_library_hold(
    live: Live, tmp_path: Path, node_modules: Path, script: str, package: str
) -> None:
    facts = {
        "issuer": live.issuer,
        "audience": AUDIENCE,
        "username": live.username,
        "password": live.password,
        "sub": live.sub,
        "secrets": live.secrets,
    }

    passed, output = run_script(
        tmp_path, node_modules, script, {"JETON_LIVE": json.dumps(facts), "JOSE_PACKAGE": package}
    )

    assert passed >= claims_of(script), output


@pytest.mark.parametrize(
    "script",
    ["test('false', () => assert.equal(1, 2))", "await new Promise(() => {})", "test.skip('later', () => {})"],
    ids=["a claim fails", "it never ends", "a claim is skipped"],
)
def test_a_script_that_does_not_prove_its_claims_is_found_out(tmp_path: Path, node_modules: Path, script: str) -> None:
    source = "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\ntest('true', () => {})\n"
    (tmp_path / "broken.mjs").write_text(source + script)

    passed, output = run_script(tmp_path, node_modules, "broken.mjs", {})

    assert passed == -1, output


def test_the_lock_names_no_address_to_download_from() -> None:
    lock = json.loads((SOURCE / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}

    assert len(packages) >= 4
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if not package["integrity"].startswith("sha512-")] == []
