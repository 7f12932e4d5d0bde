"""The commands in README.md and docs/ work. How to write them:

* A block fenced as ```sh is run, by bash with `set -euo pipefail`: if one command fails, so does the test. `curl` fails
  if the server refuses.
* A block fenced as ```python is run by Python, as a script of its own.
* `jeton` and `python3` are forks of a process that has imported what they need. `sleep` moves the clock of `jeton`.
* Of a block fenced as ```console the lines that begin with `$ ` are run; the others show what is printed.
* Blocks of one document share folder, variables and background processes, in the order in which they stand. The folder
  is empty at the beginning, `jeton` is on the PATH, and no setting is set.
* After a block whose last line is `jeton serve &`, the server is waited for. What follows in the same block has to wait
  by itself, as for a person who pastes it. The server is stopped at the end of the document.
* The ports 8000, 8001 and 9464 are replaced by free ones.
* A block that calls `make`, `git`, `pip` or `python3 -m venv` is for people with a checkout: test_make.py and
  test_wheel.py do the same. It is not run here, but the targets of `make` that it names must exist.
* Blocks of any other language (```text, ```toml, ```json ...) are not run.
"""

import os
import re
import signal
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from support.checkout import ROOT, tracked_files
from support.forked_commands import ForkingLauncher
from support.programs import find_program
from support.server_processes import JETON, free_port, is_listening

_FENCE: Final = re.compile(r"^ *```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_FOR_A_CHECKOUT: Final = re.compile(r"^(make|git|pip|\.venv/bin/\w+|python3? -m (venv|pip))\b", re.MULTILINE)
_SERVER: Final = re.compile(r"^(.*\bjeton serve\b.*&)[ \t]*$", re.MULTILINE)
_PROMPTED: Final = re.compile(r"^\$ ((?:.*\\\n)*.*)$", re.MULTILINE)
_PRELUDE: Final = """
set -euo pipefail
trap '{ kill $(jobs -p); wait; } 2> /dev/null || true' EXIT
ready() {
    for _ in $(seq 600); do
        command curl -fs -o /dev/null "$1" && return
        # It answers, but is not ready yet.
        [ $? != 22 ] || sleep 1
        kill -0 $! || return
        command sleep 0.05
    done 2> /dev/null
    return 1
}
# By itself it tries again after 1, 2, 4 and 8 seconds.
curl() {
    [[ $* != *--retry-connrefused* ]] || ready "${@: -1}"
    command curl "$@"
}
# Time passes for the server only.
sleep() { head -c "$1" /dev/zero >> "$TESTS_MOVED_CLOCK"; }
touch "$TESTS_MOVED_CLOCK"
set -x
"""


def commands_of(document: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the commands of each block that is run."""
    for fence in _FENCE.finditer(document):
        code = textwrap.dedent(fence["code"]).strip()
        if fence["language"] == "console":
            code = "\n".join(_PROMPTED.findall(code))
        elif fence["language"] == "python":
            code = f"python3 - << 'END OF PYTHON'\n{code}\nEND OF PYTHON"
        elif fence["language"] != "sh":
            continue
        if not _FOR_A_CHECKOUT.search(code):
            yield document.count("\n", 0, fence.start()) + 1, code


def script_of(document: str, port: int, metrics_port: int) -> str:
    """Return the document as one script for bash. The trace of `set -x` shows which line was the last."""
    parts = [
        f": the block in line {line}\n{code}\n"
        + ("ready http://127.0.0.1:$JETON_SERVER__PORT/readyz\n" if _SERVER.match(code.splitlines()[-1]) else "")
        for line, code in commands_of(document)
    ]
    script = re.sub(r"\b8000\b", str(port), "\n".join(parts))
    script = re.sub(r"\b9464\b", str(metrics_port), script)
    return _PRELUDE + re.sub(r"\b8001\b", str(free_port()), script)


@pytest.fixture(scope="module")
def commands(launcher: ForkingLauncher) -> Path:
    """The folder of the commands `jeton` and `python3`."""
    assert launcher.command.parent == launcher.python.parent
    return launcher.command.parent


def run_document(commands: Path, document: str, folder: Path, port: int | None = None) -> tuple[int, str]:
    """Run the commands, and end the processes that they leave running. Return the exit status and the output."""
    port, metrics_port = port or free_port(), free_port()
    # A folder beside the document's own: a response of 400 or more is a failure.
    settings_of_curl = folder.with_name(f"{folder.name}.curl")
    settings_of_curl.mkdir()
    (settings_of_curl / ".curlrc").write_text("fail\nshow-error\n")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("JETON_")},
        "HOME": str(folder),
        "CURL_HOME": str(settings_of_curl),
        "PATH": f"{commands}:{JETON.parent}:{os.environ['PATH']}",
        "JETON_SERVER__PORT": str(port),
        "JETON_METRICS__LISTEN": f"127.0.0.1:{metrics_port}",
        "JETON_PASSWORDS__MEMORY_KIB": "8",
        "JETON_SERVER__DRAIN_SECONDS": "0",
        "TESTS_MOVED_CLOCK": str(settings_of_curl / "seconds"),
    }
    process = subprocess.Popen(
        ["bash", "-c", script_of(document, port, metrics_port)],
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
    return process.returncode, output


DOCUMENTS: Final = {
    str(file): (ROOT / file).read_text(encoding="utf-8")
    for file in tracked_files()
    if file == Path("README.md") or (file.is_relative_to("docs") and file.suffix == ".md")
}


@pytest.mark.parametrize("name", [name for name, text in DOCUMENTS.items() if any(commands_of(text))])
def test_commands_of_a_document_work(name: str, commands: Path, tmp_path: Path) -> None:
    document = DOCUMENTS[name]
    if "softhsm2-util" in document:
        find_program("softhsm2-util", "softhsm2")

    status, output = run_document(commands, document, tmp_path)

    assert status == 0, f"{name}:\n{output}"


def test_block_that_starts_a_server_waits_for_it_before_it_goes_on() -> None:
    following = {
        (name, line, _SERVER.split(code)[-1].strip().partition("\n")[0])
        for name, text in DOCUMENTS.items()
        for line, code in commands_of(text)
        if _SERVER.search(code)
    }

    assert {it for it in following if it[2] and "/readyz" not in it[2]} == set()


def test_readme_has_commands_and_each_make_target_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        (name, target)
        for name, text in DOCUMENTS.items()
        for code in (*re.findall(r"`([^`\n]+)`", text), *(fence["code"] for fence in _FENCE.finditer(text)))
        for target in re.findall(r"^make ([a-z]+)", code, re.MULTILINE)
    }

    assert any(commands_of(DOCUMENTS["README.md"]))
    assert named != set()
    assert {(name, target) for name, target in named if target not in targets} == set()


# The rules at the top of this file, tested with a document for this purpose.

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

```sh
curl -s http://127.0.0.1:8000/oauth/token -d grant_type=password
```
"""


def test_sample_is_run_from_its_first_block_to_the_refused_request(commands: Path, tmp_path: Path) -> None:
    port = free_port()

    status, output = run_document(commands, SAMPLE, tmp_path, port)

    assert '"token_type":"Bearer"' in (tmp_path / "token.json").read_text()
    assert (tmp_path / "done.txt").read_text() == "done\n"
    assert (tmp_path / "type.txt").read_text() == "Bearer"
    assert not (tmp_path / "jeton").exists()
    assert status == 22
    assert "The requested URL returned error: 401" in output
    assert not is_listening(port)


@pytest.mark.parametrize(
    ("fence", "code", "said"),
    [
        *((fence, code, "the block in line 3") for fence in ("sh", "console")
          for code in ("false", "true\nfalse\ntrue", "false | true", "echo $NOT_SET")),
        ("sh", "jeton frobnicate", "the block in line 3"),
        ("python", "assert 1 == 2", "AssertionError"),
        ("sh", "JETON_SERVER__WORKERS=none jeton serve &\nwait $!", "the configuration is not valid"),
    ],
)  # fmt: skip
def test_command_that_fails_is_a_failure(commands: Path, tmp_path: Path, fence: str, code: str, said: str) -> None:
    if fence == "console":
        code = textwrap.indent(code, "$ ")

    document = f"# A sample\n\n```{fence}\n{code}\n```\n\n```sh\ntouch later\n```\n"
    status, output = run_document(commands, document, tmp_path)

    assert status != 0
    assert said in output
    assert not (tmp_path / "later").exists()
