"""The Makefile, from a bare checkout: its targets, and `make serve` as a newcomer uses it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pip
import pytest

from support.checkout import ROOT, copy_tracked_files, tracked_files
from support.server_processes import ServerProcess, free_port

_, *TARGETS = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[0].split()
# What others rely on; all other targets run scripts that exist.
RUNS: Final = {
    "serve": ["jeton serve --demo"],
    "demo": ["clients/demo/scenario.py"],
    "test": ["-m pytest"],
    "check": ["ruff format --check", "ruff check", "mypy", "lint-imports", "-m pytest"],
    "bench": ["benchmarks/bench.py"],
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh checkout: no virtual environment, no database, only tracked files."""
    return copy_tracked_files(tmp_path_factory.mktemp("bare") / "checkout")


def planned(checkout: Path, *arguments: str) -> str:
    """Return the commands that make would run."""
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize("target", TARGETS)
def test_target_runs_tracked_scripts_and_installs_pinned_packages(checkout: Path, target: str) -> None:
    plan = planned(checkout, "-n", target)

    assert plan
    assert [part for part in RUNS.get(target, []) if part not in plan] == []
    assert set(re.findall(r"\S+/\S+\.py\b", plan)) - {str(file) for file in tracked_files()} == set()
    installs = [line for line in plan.splitlines() if "pip install" in line]
    assert all("--require-hashes" in line or "--no-deps --no-build-isolation -e " in line for line in installs)
    lock = {"serve": "requirements.txt", "test": "requirements-dev.txt"}.get(target)
    assert lock is None or any(f"--require-hashes -r {lock}" in line for line in installs)


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("exit 1", "is not Python 3.11 or later: name one that is"),
        (
            '[ "$1" = -c ] || { mkdir -p .venv/bin && touch .venv/bin/python; echo no ensurepip >&2; exit 1; }',
            "no ensurepip",
        ),
    ],
    ids=["too old", "without ensurepip"],
)
def test_python_that_cannot_be_used_leaves_no_environment(tmp_path: Path, python: str, said: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "python").write_text(f"#!/bin/sh\n{python}\n")
    (tmp_path / "python").chmod(0o755)
    command = ["make", "serve", "PYTHON=./python"]
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).touch()

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode != 0
    assert said in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_without_a_target_make_lists_them_all(checkout: Path) -> None:
    assert re.findall(r"^make ([\w-]+) +\S", planned(checkout), re.MULTILINE) == ["help", *TARGETS]


def curl_commands(printed: str) -> list[str]:
    """Return each printed curl command, with its continuation lines."""
    return [command.strip() for command in re.findall(r"^ +curl (?:.*\\\n)*.*$", printed, re.MULTILINE)]


def pasted(command: str, **placeholders: str) -> dict[str, Any]:
    """Run a printed command in a shell with its placeholders replaced. Return the response."""
    for placeholder, value in placeholders.items():
        assert placeholder in command
        command = command.replace(placeholder, value)
    return dict(json.loads(subprocess.check_output(["sh", "-c", command], text=True, timeout=60)))


# Installing pip takes as long as installing all packages, and is Python's own business.
PYTHON: Final = f"""#!/bin/sh
[ "$1 $2" = "-m venv" ] || exec {sys.executable} "$@"
{sys.executable} -m venv --without-pip "$3" && ln -s {Path(pip.__file__).parent} "$3"/lib/python3*/site-packages/
"""


def made_serve(checkout: Path) -> ServerProcess:
    """Return `make serve` as a process that is not started."""
    python = checkout.with_name("python")
    python.write_text(PYTHON)
    python.chmod(0o755)
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("JETON_", "PYTHON"))}
    # Otherwise pip compiles all modules of all packages; the server compiles those that it imports.
    variables["PIP_COMPILE"] = "0"
    return ServerProcess(free_port(), checkout, variables, command=("make", "serve", f"PYTHON={python}"))


def stop_by_ctrl_c(server: ServerProcess) -> None:
    """Send SIGINT to the whole process group, as a terminal does."""
    os.killpg(server.pid, signal.SIGINT)
    server.wait()


@pytest.mark.timeout(400)
@pytest.mark.skipif(shutil.which("curl") is None, reason="THE PRINTED CURL LINES WERE NOT RUN: there is no curl")
def test_make_serve_prints_commands_that_work_and_can_be_repeated(checkout: Path) -> None:
    first, second = made_serve(checkout), made_serve(checkout)
    try:
        first.begin()
        first.wait_until_ready(300)
        log_in, refresh, introspect, keys = curl_commands(first.log)
        logged_in = pasted(log_in)
        refreshed = pasted(refresh, REFRESH_TOKEN=logged_in["refresh_token"])
        introspected = pasted(introspect, ACCESS_TOKEN=refreshed["access_token"])
        published = pasted(keys)["keys"]
        stop_by_ctrl_c(first)
        second.start()
        later = pasted(log_in.replace(first.url, second.url))
        stop_by_ctrl_c(second)
    finally:
        first.kill()
        second.kill()

    assert (logged_in["token_type"], logged_in["scope"], later["token_type"]) == ("Bearer", "read", "Bearer")
    assert refreshed["refresh_token"] != logged_in["refresh_token"]
    assert (introspected["active"], introspected["client_id"], introspected["scope"]) == (True, "demo-app", "read")
    assert {key["alg"] for key in published} == {"RS256"}
    assert len(set(re.findall(r"\bjcs_[\w-]+", first.log))) == 2
    for text in ("pip install", "Application shutdown complete."):
        assert text in first.log
    assert "The demo accounts have existed since the first start" in second.log
    for text in ("pip install", "jcs_", "password  ", "Traceback"):
        assert text not in second.log
    assert "Traceback" not in first.log
    _assert_that_git_ignores_what_was_made(checkout, {f"log-{first.port}", f"log-{second.port}"})


def _assert_that_git_ignores_what_was_made(checkout: Path, logs: set[str]) -> None:
    """Check that the virtual environment, the database under var/ and build files are ignored."""
    made = {str(path.relative_to(checkout)) for path in checkout.rglob("*") if path.is_file()}
    made -= {str(file) for file in tracked_files()} | logs
    assert "var/jeton.db" in made
    command = ["git", "-C", str(ROOT), "check-ignore", "--no-index", "--stdin"]
    ignored = subprocess.run(command, input="\n".join(made), capture_output=True, text=True, timeout=60, check=True)

    assert made - set(ignored.stdout.splitlines()) == set()
