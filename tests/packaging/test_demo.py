"""`make demo`: every step has the expected result, and a step that does not ends the run."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from support.forked_commands import ForkingLauncher

DEMO: Final = Path(__file__).parents[2] / "clients" / "demo"


def run_demo(elsewhere: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the demo as `make demo` does, from another folder."""
    command, environment = [sys.executable, *options, str(DEMO / "scenario.py")], {**os.environ, **variables}
    return subprocess.run(
        command, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=110, check=False
    )


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The namespace of environment.py."""
    monkeypatch.syspath_prepend(DEMO)
    return runpy.run_path(str(DEMO / "environment.py"))


def test_every_step_has_the_expected_result(tmp_path: Path, launcher: ForkingLauncher) -> None:
    code = f"""import runpy, sys
sys.executable = {str(launcher.python)!r}
sys.path.insert(0, {str(DEMO)!r})
runpy.run_path(sys.argv[1], run_name="__main__")"""

    done = run_demo(tmp_path, "-c", code)

    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    steps = [line.split(maxsplit=1)[0] for line in lines if line[:4].strip().isdigit()]
    assert steps == [str(number + 1) for number in range(len(steps))]
    assert len(steps) >= 30
    assert lines[-1] == "Every step had the expected result."
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_server_that_does_not_start_ends_the_run_with_its_message(tmp_path: Path) -> None:
    """The Python in use cannot import a dependency of the server."""
    (tmp_path / "uvicorn.py").write_text("raise SystemExit('no uvicorn today')")

    done = run_demo(tmp_path, PYTHONPATH=str(tmp_path))

    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-1] == "FAILED: the server stopped during its start: no uvicorn today"


@pytest.mark.parametrize(
    ("actual", "expected"), [(200, 400), (None, 200), ({"active": True}, {"active": False})], ids=str
)
def test_step_is_printed_only_if_it_has_the_expected_result(
    environment: dict[str, Any], capsys: pytest.CaptureFixture[str], actual: object, expected: object
) -> None:
    environment["check"]("one and one", actual=1 + 1, expected=2)
    with pytest.raises(environment["StepFailed"], match=r"^step 2, it happens: expected .*, got "):
        environment["check"]("it happens", actual=actual, expected=expected)

    assert capsys.readouterr().out == "   1  one and one\n"


def test_waiting_for_a_condition_has_a_limit(environment: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(environment["wait_until"].__globals__, "_TIMEOUT_SECONDS", 0)

    with pytest.raises(environment["StepFailed"], match="not within 0 seconds: it happens"):
        environment["wait_until"]("it happens", lambda: False)


def test_demo_imports_only_what_the_server_needs() -> None:
    """`make demo` installs no more than `make serve`."""
    code = f"import sys; sys.path.insert(0, {str(DEMO)!r}); import api, scenario; print(*sys.modules)"
    imported = subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60).split()

    development_only = {"httpx2", "requests", "pytest", "jwt", "hypothesis", "oauthlib"}
    assert development_only & {name.partition(".")[0] for name in imported} == set()
