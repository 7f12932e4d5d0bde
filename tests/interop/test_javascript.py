"""openid-client, oauth4webapi and jose against a live server: their claims are tests of Node's own runner.

What they need is installed from the lock into pytest's cache folder, outside the source and ignored by git.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from interop.live_server import AUDIENCE, Live
from support.node_packages import INTEROP, NoNodeError, installed_packages, node_and_npm

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))


@pytest.fixture(scope="session")
def node_modules(pytestconfig: pytest.Config) -> Path:
    """The packages of the lock; without Node the tests are skipped, and on CI they fail."""
    try:
        return installed_packages(pytestconfig.cache.mkdir("javascript"))
    except NoNodeError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"JAVASCRIPT CLIENTS NOT RUN: {missing}")


def run_script(folder: Path, node_modules: Path, script: str, environment: dict[str, str]) -> tuple[int, str]:
    """How many tests the script passed, and what it printed; -1 where one failed or was not run."""
    node, _ = node_and_npm()
    shutil.copytree(INTEROP, folder, dirs_exist_ok=True)
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
    return len(re.findall(r"^ *test\(", (INTEROP / script).read_text(), re.MULTILINE))


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
    passed, output = run_script(
        tmp_path, node_modules, script, {"JETON_LIVE": json.dumps(facts_of(live)), "JOSE_PACKAGE": package}
    )

    assert passed >= claims_of(script), output


def facts_of(live: Live) -> dict[str, object]:
    """What the scripts are told of the server."""
    return {
        "issuer": live.issuer,
        "audience": AUDIENCE,
        "username": live.username,
        "password": live.password,
        "sub": live.sub,
        "secrets": live.secrets,
        "origin": live.origin,
        "chromium": str(CHROMIUM),
    }


@pytest.mark.skipif(not CHROMIUM.exists() and not os.environ.get("CI"), reason=f"PAGES NOT RUN: there is no {CHROMIUM}")
@pytest.mark.requirement("C11", "O12")
def test_pages_of_other_people_s_libraries_work_in_a_browser(live: Live, tmp_path: Path, node_modules: Path) -> None:
    passed, output = run_script(tmp_path, node_modules, "browser.mjs", {"JETON_LIVE": json.dumps(facts_of(live))})

    assert passed >= claims_of("browser.mjs"), output


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
    lock = json.loads((INTEROP / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}

    assert len(packages) >= 4
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if not package["integrity"].startswith("sha512-")] == []
