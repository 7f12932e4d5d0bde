"""openid-client, oauth4webapi, jose, the MCP SDK and pages in a browser against a live server.

The claims of a script are tests of Node's own runner. What the scripts need is installed from the lock into pytest's
cache folder, outside the source and ignored by git.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from interop.live_server import Live
from support.node_packages import INTEROP, node_and_npm

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))


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


def number_of_tests(script: str) -> int:
    """Return the number of `test(` in the script. Some stand in loops: at least so many must have run."""
    return len(re.findall(r"^ *test\(", (INTEROP / script).read_text(), re.MULTILINE))


_IN_CHROMIUM = pytest.mark.skipif(
    not CHROMIUM.exists() and not os.environ.get("CI"), reason=f"PAGES NOT RUN: there is no {CHROMIUM}"
)


@pytest.mark.parametrize(
    ("script", "package"),
    [
        ("openid-client.mjs", "openid-client"),
        ("openid-client-code.mjs", "openid-client"),
        ("oauth4webapi.mjs", "oauth4webapi"),
        ("oauth4webapi-code.mjs", "oauth4webapi"),
        ("mcp-sdk.mjs", "@modelcontextprotocol/sdk"),
        ("jose.mjs", "jose-v5"),
        ("jose.mjs", "jose-v6"),
        pytest.param("browser.mjs", "playwright-core", marks=_IN_CHROMIUM),
        pytest.param("browser-code.mjs", "playwright-core", marks=_IN_CHROMIUM),
    ],
)
@pytest.mark.requirement("A05", "A06", "A32", "C01", "C11", "D03", "E01", "F13", "G01", "G02", "H01", "H04", "O12")
def test_all_claims_of_a_script_hold(live: Live, tmp_path: Path, node_modules: Path, script: str, package: str) -> None:
    facts = json.dumps(live.facts | {"chromium": str(CHROMIUM)})

    passed, output = run_script(tmp_path, node_modules, script, JETON_LIVE=facts, JOSE_PACKAGE=package)

    assert passed >= number_of_tests(script), output


@pytest.mark.requirement("OI24", "OI51")
def test_openid_client_verifies_rs256_id_tokens_beside_es256_access_tokens(
    live_with_es256: Live, tmp_path: Path, node_modules: Path
) -> None:
    """openid-client accepts no other algorithm, unless it is told to."""
    script = "openid-client-code.mjs"

    passed, output = run_script(tmp_path, node_modules, script, JETON_LIVE=json.dumps(live_with_es256.facts))

    assert passed >= number_of_tests(script), output


@pytest.mark.parametrize(
    "script",
    ["test('false', () => assert.equal(1, 2))", "await new Promise(() => {})", "test.skip('later', () => {})"],
    ids=["a claim fails", "it never ends", "a claim is skipped"],
)
def test_script_that_does_not_prove_its_claims_fails(tmp_path: Path, node_modules: Path, script: str) -> None:
    source = "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\ntest('true', () => {})\n"
    (tmp_path / "broken.mjs").write_text(source + script)

    passed, output = run_script(tmp_path, node_modules, "broken.mjs")

    assert passed == -1, output
