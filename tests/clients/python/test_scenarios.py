"""The public API runs the scenarios of tests/vectors, with threads and with tasks, like that of TypeScript."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from clients.python.scenario import SECRETS, run_with_tasks, run_with_threads
from clients.python.vectors import read

FILES = ("sessions", "authorization", "authorized_requests", "verification", "introspection")
RUNS = {"threads": run_with_threads, "tasks": run_with_tasks}
SCENARIOS = [
    pytest.param(run, scenario, id=f"{kind}: {file}: {scenario['name']}")
    for file in FILES
    for scenario in read(f"scenarios/{file}")
    for kind, run in RUNS.items()
]


@pytest.mark.parametrize(("run", "scenario"), SCENARIOS)
def test_scenario(
    run: Callable[[Mapping[str, Any], pytest.MonkeyPatch], None],
    scenario: Mapping[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")

    run(scenario, monkeypatch)

    assert not any(secret in caplog.text for secret in SECRETS)
