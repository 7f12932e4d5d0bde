"""The public API runs the scenarios of tests/vectors, with threads and with tasks, like that of TypeScript."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from clients.python.scenario import SECRETS, read, run_with_tasks, run_with_threads

FILES = ("sessions", "authorized_requests", "verification", "introspection")
SCENARIOS = [
    pytest.param(scenario, id=f"{file}: {scenario['name']}") for file in FILES for scenario in read(f"scenarios/{file}")
]


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("run", [run_with_threads, run_with_tasks], ids=["threads", "tasks"])
def test_scenario(
    run: Callable[[Mapping[str, Any], pytest.MonkeyPatch], None],
    scenario: Mapping[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")

    run(scenario, monkeypatch)

    assert not any(secret in caplog.text for secret in SECRETS)
