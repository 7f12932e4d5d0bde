"""What the documents tell people to type is run, so that it goes on being true. How to write it:

* A block fenced as ```sh is run, by bash with `set -euo pipefail`: if one command fails, so does the test. `curl` fails
  where the server refuses.
* A block fenced as ```python is run by Python, as a script of its own.
* Of a block fenced as ```console the lines that begin with `$ ` are run; the others show what is printed.
* Blocks of one document share folder, variables and background processes, in the order in which they stand. The folder
  is empty at the beginning, `jeton` is on the PATH, and no setting is set.
* `jeton serve &` is waited for until it is ready, and is stopped at the end of the document.
* The port 8000 is replaced by a free one.
* A block that calls `make`, `git`, `pip` or `python3 -m venv` is for people with a checkout: test_make.py and
  test_wheel.py go that way. It is not run here, but the targets of `make` that it names must exist.
* Blocks of any other language (```text, ```toml, ```json ...) are not run.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import textwrap
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from support.checkout import ROOT, tracked_files
from support.server_processes import JETON, free_port

_FENCE: Final = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_FOR_A_CHECKOUT: Final = re.compile(r"^(make|git|pip|\.venv/bin/\w+|python3? -m (venv|pip))\b", re.MULTILINE)
_SERVER: Final = re.compile(r"^(.*\bjeton serve\b.*&)[ \t]*$", re.MULTILINE)
_PROMPTED: Final = re.compile(r"^\$ ((?:.*\\\n)*.*)$", re.MULTILINE)
_DEFAULT_PORT: Final = "8000"
_PRELUDE: Final = """
set -euo pipefail
trap '{ kill $(jobs -p); wait; } 2> /dev/null || true' EXIT
ready() {
    for _ in $(seq 300); do
        if curl -fs -o /dev/null "http://127.0.0.1:$JETON_SERVER__PORT/readyz"; then return; fi
        kill -0 $! || return
        sleep 0.1
    done 2> /dev/null
    return 1
}
set -x
"""


@dataclass(frozen=True, slots=True)
class Block:
    """Commands of a document, from this line on."""

    line: int
    commands: str

    @property
    def is_for_a_checkout(self) -> bool:
        return _FOR_A_CHECKOUT.search(self.commands) is not None


def blocks_of(document: str) -> list[Block]:
    """The blocks of commands, whoever may run them."""
    found = []
    for fence in _FENCE.finditer(document):
        code = textwrap.dedent(fence["code"]).strip()
        if fence["language"] == "console":
            code = "\n".join(_PROMPTED.findall(code))
        elif fence["language"] == "python":
            code = f"python3 - << 'END OF PYTHON'\n{code}\nEND OF PYTHON"
        elif fence["language"] != "sh":
            continue
        found.append(Block(document.count("\n", 0, fence.start()) + 1, code))
    return found


def script_of(document: str, port: int) -> str:
    """The whole document as one script for bash. The trace of `set -x` shows which line of which block was the last."""
    parts = [
        f": the block in line {block.line}\n" + _SERVER.sub("\\1\nready", block.commands) + "\n"
        for block in blocks_of(document)
        if not block.is_for_a_checkout
    ]
    return _PRELUDE + re.sub(rf"\b{_DEFAULT_PORT}\b", str(port), "\n".join(parts))


def run_document(document: str, folder: Path, port: int) -> subprocess.CompletedProcess[str]:
    """What became of the document's commands; whatever they left running is ended."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("JETON_")},
        "HOME": str(folder),
        "CURL_HOME": str(_settings_of_curl(folder)),
        "PATH": f"{JETON.parent}:{os.environ['PATH']}",
        "JETON_SERVER__PORT": str(port),
        "JETON_PASSWORDS__MEMORY_KIB": "8",
    }
    process = subprocess.Popen(
        ["bash", "-c", script_of(document, port)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=110)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess("bash", process.returncode, output, "")


def _settings_of_curl(folder: Path) -> Path:
    """A folder beside the document's own with a .curlrc: an answer of 400 or more is a failure."""
    settings = folder.with_name(f"{folder.name}.curl")
    settings.mkdir()
    (settings / ".curlrc").write_text("fail\nshow-error\n")
    return settings


def documents() -> dict[str, str]:
    """README.md and all below docs/, by name."""
    names = [file for file in tracked_files() if file == Path("README.md") or file.is_relative_to("docs")]
    return {str(name): (ROOT / name).read_text(encoding="utf-8") for name in names if name.suffix == ".md"}


def documents_to_run() -> list[str]:
    return [name for name, text in documents().items() if any(not it.is_for_a_checkout for it in blocks_of(text))]


@pytest.mark.parametrize("name", documents_to_run())
def test_the_commands_of_a_document_work(name: str, tmp_path: Path) -> None:
    document = documents()[name]
    if "softhsm2-util" in document and shutil.which("softhsm2-util") is None and not os.environ.get("CI"):
        pytest.skip(f"THE COMMANDS OF {name} WERE NOT RUN: there is no SoftHSM (Debian: apt-get install softhsm2)")

    done = run_document(document, tmp_path, free_port())

    assert done.returncode == 0, f"{name}:\n{done.stdout}"


def test_there_are_documents_with_commands() -> None:
    assert "README.md" in documents()
    assert documents_to_run() != []


def test_each_make_target_that_a_document_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {
        (name, target)
        for name, text in documents().items()
        for code in (*re.findall(r"`([^`\n]+)`", text), *(fence["code"] for fence in _FENCE.finditer(text)))
        for target in re.findall(r"^make ([a-z]+)", code, re.MULTILINE)
    }

    assert named != set()
    assert {(name, target) for name, target in named if target not in targets} == set()


# The rules at the top of this file, proven on a document of our own.

SAMPLE: Final = """# A sample

```sh
jeton client add web --grant client_credentials --scope read --json > web.json
SECRET=$(sed 's/.*"client_secret":"\\([^"]*\\)".*/\\1/' web.json)
jeton serve &
```

1. Inside a list:

   ```sh
   curl -fs http://127.0.0.1:8000/oauth/token -u "web:$SECRET" -d grant_type=client_credentials > token.json
   ```

```console
$ grep -c access_token \\
    token.json
1
$ echo done > done.txt
this is what is printed: false
```

```python
import json
token = json.load(open("token.json"))
if True:

    open("type.txt", "w").write(token["token_type"])
```

```text
false
```

```sh
git clone https://example.org/jeton && cd jeton
make serve
```
"""


def test_a_document_that_works_is_run_from_its_first_block_to_its_last(tmp_path: Path) -> None:
    port = free_port()

    done = run_document(SAMPLE, tmp_path, port)

    assert done.returncode == 0, done.stdout
    assert '"token_type":"Bearer"' in (tmp_path / "token.json").read_text()
    assert (tmp_path / "done.txt").read_text() == "done\n"
    assert (tmp_path / "type.txt").read_text() == "Bearer"
    assert not (tmp_path / "jeton").exists()


def test_the_server_that_a_document_started_is_gone_afterwards(tmp_path: Path) -> None:
    port = free_port()

    done = run_document("```sh\njeton serve > serve.log 2>&1 &\n```\n", tmp_path, port)

    assert done.returncode == 0, done.stdout
    assert "Uvicorn running" in (tmp_path / "serve.log").read_text()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize(
    "commands",
    ["false", "true\nfalse\ntrue", "false | true", "echo $NOT_SET", "jeton user show nobody", "jeton frobnicate"],
)
@pytest.mark.parametrize("fence", ["sh", "console"])
def test_a_command_that_fails_is_a_failure(tmp_path: Path, fence: str, commands: str) -> None:
    if fence == "console":
        commands = textwrap.indent(commands, "$ ")

    done = run_document(
        f"# A sample\n\n```{fence}\n{commands}\n```\n\n```sh\ntouch later\n```\n", tmp_path, free_port()
    )

    assert done.returncode != 0
    assert "the block in line 3" in done.stdout
    assert not (tmp_path / "later").exists()


def test_python_that_fails_is_a_failure(tmp_path: Path) -> None:
    done = run_document("```python\nassert 1 == 2\n```\n", tmp_path, free_port())

    assert done.returncode != 0
    assert "AssertionError" in done.stdout


def test_a_request_that_is_refused_is_a_failure(tmp_path: Path) -> None:
    commands = "jeton serve &\ncurl -s http://127.0.0.1:8000/oauth/token -d grant_type=password"

    done = run_document(f"```sh\n{commands}\n```\n", tmp_path, free_port())

    assert done.returncode == 22
    assert "The requested URL returned error: 401" in done.stdout


def test_a_server_that_does_not_start_is_a_failure(tmp_path: Path) -> None:
    done = run_document("```sh\nJETON_SERVER__WORKERS=none jeton serve &\nwait $!\n```\n", tmp_path, free_port())

    assert done.returncode != 0
    assert "the configuration is not valid" in done.stdout
