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
    """Replace hashing by a manual timer: 46 MiB take a tenth of a second."""
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


def test_calibrate_prints_proposed_and_current_costs(cli: CommandLine) -> None:
    assert cli.json("passwords", "calibrate", "--target-ms", "200") == {
        "proposed": {"memory_kib": 92 * 1024, "iterations": 1, "lanes": 1, "milliseconds": 200.0},
        "in_effect": {"memory_kib": 8, "iterations": 1, "lanes": 1, "milliseconds": 0.0},
        "hashes_at_once": 2,
    }


def test_calibrate_prints_concurrency_and_its_reasons(cli: CommandLine) -> None:
    assert "computes 2 at once: server.workers = 1, 2 cores and 1,024 MiB" in cli.text("passwords", "calibrate")
    assert "computes 1 at once: server.workers = 2" in cli.with_variables(SERVER__WORKERS="2").text(
        "passwords", "calibrate"
    )
    assert cli.with_variables(PASSWORDS__CONCURRENCY="7").json("passwords", "calibrate")["hashes_at_once"] == 7


def test_default_target_is_100_ms(cli: CommandLine) -> None:
    assert cli.json("passwords", "calibrate")["proposed"]["milliseconds"] == 100.0


@pytest.mark.parametrize("target_ms", ["50", "200", "900"])
def test_calibrate_prints_a_valid_settings_section(cli: CommandLine, tmp_path: Path, target_ms: str) -> None:
    text = cli.text("passwords", "calibrate", "--target-ms", target_ms, "--max-memory-mib", "64")
    file = tmp_path / "proposed.toml"
    file.write_text(text, encoding="utf-8")

    proposed = tomllib.loads(text)["passwords"]
    in_effect = cli.with_variables(PASSWORDS__MEMORY_KIB="").json("config", "check", "--config", str(file))["passwords"]
    assert proposed.keys() == {"memory_kib", "iterations", "lanes"}
    assert in_effect | proposed == in_effect


def test_target_below_safe_minimum_is_reported(cli: CommandLine) -> None:
    assert "safe minimum: 99 ms" in cli.text("passwords", "calibrate", "--target-ms", "99")
    assert "minimum" not in cli.text("passwords", "calibrate", "--target-ms", "100")


@pytest.mark.parametrize(
    "options",
    [("--target-ms", "0"), ("--target-ms", "10001"), ("--max-memory-mib", "45"), ("--max-memory-mib", "1025")],
)
def test_calibrate_option_out_of_range_is_wrong_usage(cli: CommandLine, options: tuple[str, str]) -> None:
    assert options[0] in cli.misused("passwords", "calibrate", *options)
