"""openid-client, oauth4webapi, jose, the MCP SDK and pages in a browser against a live server.

The claims of a script are tests of Node's own runner. What the scripts need is installed from the lock into pytest's
cache folder, outside the source and ignored by git.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.conftest import live_server
from interop.live_server import Live
from interop.node_scripts import assert_script_passes, run_scripts

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))


_IN_CHROMIUM = pytest.mark.skipif(
    not CHROMIUM.exists() and not os.environ.get("CI"), reason=f"PAGES NOT RUN: there is no {CHROMIUM}"
)


@pytest.mark.parametrize(
    ("scripts", "package"),
    [
        ("openid-client.mjs openid-client-code.mjs", "openid-client"),
        ("oauth4webapi.mjs oauth4webapi-code.mjs", "oauth4webapi"),
        ("mcp-sdk.mjs", "@modelcontextprotocol/sdk"),
        ("jose.mjs", "jose-v5"),
        ("jose.mjs", "jose-v6"),
        pytest.param("browser.mjs browser-code.mjs", "playwright-core", marks=_IN_CHROMIUM),
    ],
)
@pytest.mark.requirement(
    "A05", "A06", "A32", "C01", "C11", "D03", "E01", "F13", "G01", "G02", "H01", "H04", "MC08", "O12"
)
def test_all_tests_of_scripts_pass(live: Live, tmp_path: Path, node_modules: Path, scripts: str, package: str) -> None:
    facts = live.facts | {"chromium": str(CHROMIUM)}
    assert_script_passes(tmp_path, node_modules, scripts, facts, JOSE_PACKAGE=package)


@pytest.mark.requirement("DP04", "DP07", "DP11", "DP12", "DP14", "DP16", "PA11", "PA12")
@pytest.mark.parametrize("script", ["oauth4webapi-dpop.mjs", "openid-client-dpop.mjs"])
@pytest.mark.parametrize("server", ["live", "live_with_nonces"])
def test_dpop_with_pushed_requests_and_client_keys(
    request: pytest.FixtureRequest, tmp_path: Path, node_modules: Path, script: str, server: str
) -> None:
    assert_script_passes(tmp_path, node_modules, script, request.getfixturevalue(server).facts)


@pytest.mark.parametrize(
    "script",
    ["test('false', () => assert.equal(1, 2))", "await new Promise(() => {})", "test.skip('later', () => {})"],
    ids=["a claim fails", "it never ends", "a claim is skipped"],
)
def test_script_with_failed_or_missing_tests_fails(tmp_path: Path, node_modules: Path, script: str) -> None:
    source = "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\ntest('true', () => {})\n"
    (tmp_path / "broken.mjs").write_text(source + script)

    passed, output = run_scripts(tmp_path, node_modules, "broken.mjs")

    assert passed == -1, output


@pytest.fixture(scope="module")
def open_live(tmp_path_factory: pytest.TempPathFactory, current_sqlite_template: Path) -> Iterator[Live]:
    with live_server(tmp_path_factory.mktemp("open"), current_sqlite_template, REGISTRATION__DYNAMIC="open") as started:
        yield started


@pytest.mark.requirement("DR03", "DR04", "DR09", "DR14", "DR15", "DR16", "MC04")
def test_libraries_register_sign_in_and_manage_themselves(open_live: Live, tmp_path: Path, node_modules: Path) -> None:
    assert_script_passes(tmp_path, node_modules, "registration.mjs", open_live.facts)
