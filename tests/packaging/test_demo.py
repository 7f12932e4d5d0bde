"""`make demo`: the story is played to its end, and notices whatever does not happen as told."""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

DEMO: Final = Path(__file__).parents[2] / "clients" / "demo"


def played(folder: Path, elsewhere: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The story as `make demo` plays it, from some other folder."""
    return subprocess.run(
        [sys.executable, str(folder / "story.py")],
        cwd=elsewhere,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of stage.py."""
    monkeypatch.syspath_prepend(DEMO)
    return runpy.run_path(str(DEMO / "stage.py"))


def test_every_step_happens_as_told(tmp_path: Path) -> None:
    done = played(DEMO, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    steps = [line.split(maxsplit=1)[0] for line in lines if line[:4].strip().isdigit()]
    assert steps == [str(number + 1) for number in range(len(steps))]
    assert len(steps) >= 30
    assert lines[-1] == "All of it happened as told."
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_a_step_that_does_not_happen_ends_the_story(tmp_path: Path) -> None:
    """An API that ignores the scope."""
    demo = shutil.copytree(DEMO, tmp_path / "demo", ignore=shutil.ignore_patterns("__pycache__"))
    sound = (demo / "api.py").read_text()
    (demo / "api.py").write_text(sound.replace("if scope not in", "if False and scope not in"))
    assert (demo / "api.py").read_text() != sound

    done = played(demo, tmp_path)

    assert done.returncode == 1
    last = done.stdout.splitlines()[-1]
    assert last.startswith("BROKEN: step ")
    assert "she would need another scope: wanted (403, " in last
    assert done.stderr == ""


def test_a_server_that_does_not_start_ends_the_story_with_its_own_words(tmp_path: Path) -> None:
    """A Python that cannot import what the server needs stands for any reason not to start."""
    (tmp_path / "uvicorn.py").write_text("raise SystemExit('no uvicorn today')")

    done = played(DEMO, tmp_path, PYTHONPATH=str(tmp_path))

    assert done.returncode == 1
    assert "BROKEN: the server ended at once: no uvicorn today" in done.stdout


def test_a_step_is_told_when_it_happens(stage: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    stage["step"]("one and one", saw=1 + 1, wanted=2)

    assert capsys.readouterr().out == "   1  one and one\n"


@pytest.mark.parametrize(("saw", "wanted"), [(200, 400), (None, 200), ({"active": True}, {"active": False})], ids=str)
def test_a_step_that_saw_something_else_is_broken(
    stage: dict[str, Any], capsys: pytest.CaptureFixture[str], saw: object, wanted: object
) -> None:
    with pytest.raises(stage["BrokenStep"], match=r"^step 1, it happens: wanted .*, saw "):
        stage["step"]("it happens", saw=saw, wanted=wanted)

    assert capsys.readouterr().out == ""


def test_what_never_happens_is_not_waited_for_for_ever(stage: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stage["wait_until"].__globals__, "_PATIENCE_SECONDS", 0)

    with pytest.raises(stage["BrokenStep"], match="still it was not so: it happens"):
        stage["wait_until"]("it happens", lambda: False)


def test_the_demo_imports_nothing_but_what_the_server_needs_anyway() -> None:
    """`make demo` installs no more than `make serve`."""
    code = f"import sys; sys.path.insert(0, {str(DEMO)!r}); import api, story; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    development_only = {"httpx2", "requests", "pytest", "jwt", "hypothesis", "oauthlib"}
    assert development_only & {name.partition(".")[0] for name in done.stdout.split()} == set()
