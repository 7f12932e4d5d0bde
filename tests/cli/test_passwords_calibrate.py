"""jeton passwords calibrate: proposed costs, measured with a manual timer."""

import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from jeton.crypto import hash_calibration
from jeton.crypto.hashing_concurrency import Resources
from support.cli_runner import CommandLine


@pytest.fixture(autouse=True)
def _steady_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace hashing and timer: hashing with 46 MiB takes a tenth of a second."""
    now = 0.0

    class Instant:
        def __init__(self, memory_kib: int, iterations: int, lanes: int) -> None:
            self._seconds = memory_kib * iterations / 471040

        def hash(self, password: str) -> None:
            nonlocal now
            now += self._seconds

    # Not by its name: in the package, `passwords` is the group of commands.
    command = import_module("jeton.cli.passwords")
    monkeypatch.setattr(hash_calibration, "Passwords", Instant)
    monkeypatch.setattr(command, "process_resources", lambda: Resources(cores=2, memory_bytes=2**30))
    monkeypatch.setattr(command, "perf_counter", lambda: now)


def test_calibrate_prints_proposed_and_current_costs_and_concurrency(cli: CommandLine) -> None:
    calibrate = ("passwords", "calibrate")

    assert cli.json(*calibrate, "--target-ms", "200") == {
        "proposed": {"memory_kib": 92 * 1024, "iterations": 1, "lanes": 1, "milliseconds": 200.0},
        "in_effect": {"memory_kib": 8, "iterations": 1, "lanes": 1, "milliseconds": 0.0},
        "hashes_at_once": 2,
    }
    assert cli.json(*calibrate)["proposed"]["milliseconds"] == 100.0
    assert "computes 2 at once: server.workers = 1, 2 cores and 1,024 MiB" in cli.text(*calibrate)
    assert "computes 1 at once: server.workers = 2" in cli.with_variables(SERVER__WORKERS="2").text(*calibrate)
    assert cli.with_variables(PASSWORDS__CONCURRENCY="7").json(*calibrate)["hashes_at_once"] == 7


@pytest.mark.parametrize(("target_ms", "is_below_minimum"), [("99", True), ("100", False), ("900", False)])
def test_calibrate_prints_a_valid_settings_section(cli: CommandLine, target_ms: str, is_below_minimum: bool) -> None:
    text = cli.text("passwords", "calibrate", "--target-ms", target_ms, "--max-memory-mib", "64")
    Path("proposed.toml").write_text(text, encoding="utf-8")

    proposed = tomllib.loads(text)["passwords"]
    in_effect = cli.with_variables(PASSWORDS__MEMORY_KIB="").json("config", "check", "--config", "proposed.toml")
    assert proposed.keys() == {"memory_kib", "iterations", "lanes"}
    assert proposed.items() <= in_effect["passwords"].items()
    assert ("safe minimum: 99 ms" in text) == is_below_minimum


@pytest.mark.parametrize(
    "option", ["--target-ms=0", "--target-ms=10001", "--max-memory-mib=45", "--max-memory-mib=1025"]
)
def test_calibrate_option_out_of_range_is_wrong_usage(cli: CommandLine, option: str) -> None:
    assert option.partition("=")[0] in cli.misused("passwords", "calibrate", option)
