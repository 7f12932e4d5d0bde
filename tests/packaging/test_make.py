"""The Makefile, from a bare checkout: its targets, and a day with `make serve` as a newcomer spends it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from interop.live_server import wait_until_ready
from support.checkout import ROOT, copy_tracked_files, tracked_files
from support.server_processes import free_port

TARGETS: Final = {
    "serve": ["jeton serve --demo"],
    "demo": ["clients/demo/scenario.py"],
    "test": ["-m pytest"],
    "test-typescript": ["clients/typescript"],
    "check": ["ruff format --check", "ruff check", "mypy", "lint-imports", "-m pytest"],
    "check-slow": ["-m pytest -m slow", "npm run -s test-slow"],
    "bench": ["benchmarks/bench.py", "benchmarks/verification.py", "benchmarks/status_list.py"],
    "flood": ["benchmarks/flood.py"],
    "rotation": ["benchmarks/rotation.py"],
    "mutants": ["benchmarks/mutants.py"],
    "format": ["ruff format", "ruff check --fix"],
    "lock": ["-o requirements.txt", "-o requirements-dev.txt"],
    "clean": ["rm -rf .venv"],
}
DAY: Final = pytest.mark.timeout(400)  # whichever test comes first waits for the installation


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh one: no virtual environment, no database, nothing that git does not know."""
    return copy_tracked_files(tmp_path_factory.mktemp("bare") / "checkout")


def planned(checkout: Path, *arguments: str) -> str:
    """What make would do."""
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_does_what_it_is_for(checkout: Path, target: str) -> None:
    plan = planned(checkout, "-n", target)

    assert [part for part in TARGETS[target] if part not in plan] == []
    scripts = set(re.findall(r"\S+/\S+\.py\b", plan))
    assert scripts - {str(file) for file in tracked_files()} == set()


def test_without_a_target_make_lists_them_all(checkout: Path) -> None:
    assert re.findall(r"^make ([\w-]+) +\S", planned(checkout), re.MULTILINE) == ["help", *TARGETS]


@pytest.mark.parametrize(("target", "lock"), [("serve", "requirements.txt"), ("test", "requirements-dev.txt")])
def test_what_is_installed_is_pinned_by_hash(checkout: Path, target: str, lock: str) -> None:
    installs = [line for line in planned(checkout, "-n", target).splitlines() if "pip install" in line]

    assert any(f"--require-hashes -r {lock}" in line for line in installs)
    assert all("--require-hashes" in line or "--no-deps --no-build-isolation -e " in line for line in installs)


@dataclass(slots=True)
class Day:
    """What a newcomer saw: `make serve`, the printed lines pasted into a shell, Ctrl-C, and `make serve` again."""

    first_output: str = ""
    second_output: str = ""
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    later_login: dict[str, Any] = field(default_factory=dict)


@contextmanager
def made_serve(checkout: Path, port: int, output: Path) -> Iterator[str]:
    """`make serve`, ready; Ctrl-C at the end, which a terminal sends to all that run in it. Gives what was printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JETON_", "PYTHON"))}
    with output.open("wb") as printed:
        process = subprocess.Popen(
            ["make", "serve", f"PYTHON={sys.executable}"],
            cwd=checkout,
            env=environment | {"JETON_SERVER__PORT": str(port)},
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process, output, seconds=300)
        yield output.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(60)


def pasted(command: str, **placeholders: str) -> dict[str, Any]:
    """What a printed line answers in a shell, its placeholders filled in."""
    for placeholder, value in placeholders.items():
        assert placeholder in command
        command = command.replace(placeholder, value)
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    return dict(json.loads(done.stdout))


def curl_lines(printed: str) -> list[str]:
    """Each printed curl command, with the lines that continue it."""
    return [command.strip() for command in re.findall(r"^ +curl (?:.*\\\n)*.*$", printed, re.MULTILINE)]


@pytest.fixture(scope="module")
def day(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Day:
    if shutil.which("curl") is None:
        pytest.skip("THE PRINTED CURL LINES WERE NOT RUN: there is no curl on this machine")
    folder, port, day = tmp_path_factory.mktemp("day"), free_port(), Day()
    with made_serve(checkout, port, folder / "first.txt") as day.first_output:
        log_in, refresh, introspect, keys = curl_lines(day.first_output)
        day.answers["log in"] = pasted(log_in)
        day.answers["refresh"] = pasted(refresh, REFRESH_TOKEN=day.answers["log in"]["refresh_token"])
        day.answers["introspect"] = pasted(introspect, ACCESS_TOKEN=day.answers["refresh"]["access_token"])
        day.answers["keys"] = pasted(keys)
    with made_serve(checkout, port, folder / "second.txt") as day.second_output:
        day.later_login = pasted(log_in)
    day.first_output = (folder / "first.txt").read_text()
    return day


@DAY
def test_the_printed_login_works(day: Day) -> None:
    assert day.answers["log in"]["token_type"] == "Bearer"
    assert day.answers["log in"]["scope"] == "read"


@DAY
def test_the_printed_refresh_works(day: Day) -> None:
    assert day.answers["refresh"]["refresh_token"] != day.answers["log in"]["refresh_token"]


@DAY
def test_the_printed_introspection_works(day: Day) -> None:
    asked = day.answers["introspect"]

    assert (asked["active"], asked["client_id"], asked["scope"]) == (True, "demo-app", "read")


@DAY
def test_the_printed_key_set_works(day: Day) -> None:
    assert {key["alg"] for key in day.answers["keys"]["keys"]} == {"RS256"}


@DAY
def test_ctrl_c_ends_it_in_order(day: Day) -> None:
    assert "Application shutdown complete." in day.first_output
    assert "Traceback" not in day.first_output + day.second_output


@DAY
def test_the_second_start_keeps_the_accounts_and_shows_no_secret(day: Day) -> None:
    secrets = re.findall(r"\bjcs_[\w-]+", day.first_output)

    assert len(set(secrets)) == 2
    assert "The demo accounts have existed since the first start" in day.second_output
    assert "jcs_" not in day.second_output
    assert "password" not in day.second_output
    assert day.later_login["token_type"] == "Bearer"


@DAY
def test_the_second_start_installs_nothing(day: Day) -> None:
    assert "pip install" in day.first_output
    assert "pip install" not in day.second_output


@DAY
def test_all_that_it_made_is_ignored_by_git(day: Day, checkout: Path) -> None:
    """The virtual environment, the database under var/, and what the build leaves behind."""
    made = {str(path.relative_to(checkout)) for path in checkout.rglob("*") if path.is_file()}
    made -= {str(file) for file in tracked_files()}
    assert day.second_output
    assert "var/jeton.db" in made

    command = ["git", "-C", str(ROOT), "check-ignore", "--no-index", "--stdin"]
    ignored = subprocess.run(command, input="\n".join(made), capture_output=True, text=True, timeout=60, check=True)

    assert made - set(ignored.stdout.splitlines()) == set()
