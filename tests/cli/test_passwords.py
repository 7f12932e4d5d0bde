"""jeton passwords calibrate: costs to write into the settings, measured by a timer that the test moves."""

import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from jeton.crypto import hash_calibration
from jeton.crypto.hashing_concurrency import Resources
from support.cli_runner import CommandLine


@pytest.fixture(autouse=True)
def _steady_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """46 MiB take a tenth of a second each time; nothing is hashed."""
    now = 0.0

    class Instant:
        def __init__(self, memory_kib: int, iterations: int, lanes: int) -> None:
            self._seconds = memory_kib * iterations / 471040

        def hash(self, password: str) -> None:
            nonlocal now
            now += self._seconds

    monkeypatch.setattr(hash_calibration, "Passwords", Instant)
    monkeypatch.setattr(
        import_module("jeton.cli.passwords"), "process_resources", lambda: Resources(cores=2, memory_bytes=2**30)
    )
    # Not by its name: in the package, `passwords` is the group of commands.
    monkeypatch.setattr(import_module("jeton.cli.passwords"), "perf_counter", lambda: now)


def test_costs_are_proposed_beside_those_in_effect(cli: CommandLine) -> None:
    assert cli.json("passwords", "calibrate", "--target-ms", "200") == {
        "proposed": {"memory_kib": 92 * 1024, "iterations": 1, "lanes": 1, "milliseconds": 200.0},
        "in_effect": {"memory_kib": 8, "iterations": 1, "lanes": 1, "milliseconds": 0.0},
        "hashes_at_once": 2,
    }


def test_how_many_hashes_run_at_once_is_said_with_what_it_was_derived_from(cli: CommandLine) -> None:
    assert "makes 2 at once: server.workers = 1, 2 cores and 1,024 MiB" in cli.text("passwords", "calibrate")
    assert "makes 1 at once: server.workers = 2" in cli.with_variables(SERVER__WORKERS="2").text(
        "passwords", "calibrate"
    )
    assert cli.with_variables(PASSWORDS__CONCURRENCY="7").json("passwords", "calibrate")["hashes_at_once"] == 7


def test_a_hash_takes_about_a_tenth_of_a_second_unless_something_else_is_asked_for(cli: CommandLine) -> None:
    assert cli.json("passwords", "calibrate")["proposed"]["milliseconds"] == 100.0


@pytest.mark.parametrize("target_ms", ["50", "200", "900"])
def test_what_is_printed_is_a_section_of_the_settings(cli: CommandLine, tmp_path: Path, target_ms: str) -> None:
    text = cli.text("passwords", "calibrate", "--target-ms", target_ms, "--max-memory-mib", "64")
    file = tmp_path / "proposed.toml"
    file.write_text(text, encoding="utf-8")

    proposed = tomllib.loads(text)["passwords"]
    in_effect = cli.with_variables(PASSWORDS__MEMORY_KIB="").json("config", "check", "--config", str(file))["passwords"]
    assert proposed.keys() == {"memory_kib", "iterations", "lanes"}
    assert in_effect | proposed == in_effect


def test_that_the_time_is_too_short_to_be_safe_is_said(cli: CommandLine) -> None:
    assert "least that is safe: 99 ms" in cli.text("passwords", "calibrate", "--target-ms", "99")
    assert "least" not in cli.text("passwords", "calibrate", "--target-ms", "100")


@pytest.mark.parametrize(
    "options",
    [("--target-ms", "0"), ("--target-ms", "10001"), ("--max-memory-mib", "45"), ("--max-memory-mib", "1025")],
)
def test_what_no_setting_could_say_is_wrong_usage(cli: CommandLine, options: tuple[str, str]) -> None:
    assert options[0] in cli.misused("passwords", "calibrate", *options)
