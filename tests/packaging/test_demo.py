"""`make demo`: every step has the expected result, and a step that does not ends the run."""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

DEMO: Final = Path(__file__).parents[2] / "clients" / "demo"


def run_demo(folder: Path, elsewhere: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the demo as `make demo` does, from another folder."""
    return subprocess.run(
        [sys.executable, str(folder / "scenario.py")],
        cwd=elsewhere,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of environment.py."""
    monkeypatch.syspath_prepend(DEMO)
    return runpy.run_path(str(DEMO / "environment.py"))


def test_every_step_has_the_expected_result(tmp_path: Path) -> None:
    done = run_demo(DEMO, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    steps = [line.split(maxsplit=1)[0] for line in lines if line[:4].strip().isdigit()]
    assert steps == [str(number + 1) for number in range(len(steps))]
    assert len(steps) >= 30
    assert lines[-1] == "Every step had the expected result."
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_a_failed_step_ends_the_run(tmp_path: Path) -> None:
    """An API that ignores the scope."""
    demo = shutil.copytree(DEMO, tmp_path / "demo", ignore=shutil.ignore_patterns("__pycache__"))
    sound = (demo / "api.py").read_text()
    (demo / "api.py").write_text(sound.replace("if scope not in", "if False and scope not in"))
    assert (demo / "api.py").read_text() != sound

    done = run_demo(demo, tmp_path)

    assert done.returncode == 1
    last = done.stdout.splitlines()[-1]
    assert last.startswith("FAILED: step ")
    assert "to place an order requires another scope: expected (403, " in last
    assert done.stderr == ""


def test_a_server_that_does_not_start_ends_the_run_with_its_message(tmp_path: Path) -> None:
    """A Python that cannot import what the server needs stands for any reason not to start."""
    (tmp_path / "uvicorn.py").write_text("raise SystemExit('no uvicorn today')")

    done = run_demo(DEMO, tmp_path, PYTHONPATH=str(tmp_path))

    assert done.returncode == 1
    assert "FAILED: the server stopped during its start: no uvicorn today" in done.stdout


def test_a_successful_step_is_printed(environment: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    environment["check"]("one and one", actual=1 + 1, expected=2)

    assert capsys.readouterr().out == "   1  one and one\n"


@pytest.mark.parametrize(
    ("actual", "expected"), [(200, 400), (None, 200), ({"active": True}, {"active": False})], ids=str
)
def test_a_step_with_another_result_fails(
    environment: dict[str, Any], capsys: pytest.CaptureFixture[str], actual: object, expected: object
) -> None:
    with pytest.raises(environment["StepFailed"], match=r"^step 1, it happens: expected .*, got "):
        environment["check"]("it happens", actual=actual, expected=expected)

    assert capsys.readouterr().out == ""


def test_waiting_for_a_condition_has_a_limit(environment: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(environment["wait_until"].__globals__, "_TIMEOUT_SECONDS", 0)

    with pytest.raises(environment["StepFailed"], match="not within 0 seconds: it happens"):
        environment["wait_until"]("it happens", lambda: False)


def test_the_demo_imports_only_what_the_server_needs() -> None:
    """`make demo` installs no more than `make serve`."""
    code = f"import sys; sys.path.insert(0, {str(DEMO)!r}); import api, scenario; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    development_only = {"httpx2", "requests", "pytest", "jwt", "hypothesis", "oauthlib"}
    assert development_only & {name.partition(".")[0] for name in done.stdout.split()} == set()
