"""Background work that requests must not notice."""

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from jeton.background.maintenance import Maintenance
from jeton.storage.task_thread import TaskThread


class Deletions:
    """Simulates purge and threads: each batch takes two seconds, and the third finds no expired rows."""

    def __init__(self) -> None:
        self.now = 0.0
        self.batches = iter([500, 200, 0])
        self.pauses: list[float] = []

    def delete_expired_keys(self) -> int:
        return 0

    def delete_expired_batch(self) -> int:
        self.now += 2
        return next(self.batches)

    async def __call__(self, task: Callable[[], object]) -> object:
        return task()

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.mark.requirement("O16")
async def test_expired_rows_are_deleted_in_a_twentieth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    deletions = Deletions()
    monkeypatch.setattr("jeton.background.maintenance.asyncio", SimpleNamespace(sleep=deletions.sleep))
    monkeypatch.setattr("jeton.background.maintenance.time", SimpleNamespace(monotonic=lambda: deletions.now))

    maintenance = Maintenance(None, deletions, None, deletions, deletions)  # type: ignore[arg-type]  # stands for both
    await maintenance._delete_expired()

    assert deletions.pauses == [38, 38]


@pytest.mark.parametrize("slow", ["delete_expired_batch", "apply_ceiling"])
async def test_work_that_takes_long_delays_no_refresh(monkeypatch: pytest.MonkeyPatch, slow: str) -> None:
    """A server that has not read its keys for eight seconds stops issuing tokens."""
    for name in ("_REFRESH_SECONDS", "_PURGE_SECONDS", "_BACKLOG_SECONDS", "_CEILING_SECONDS"):
        monkeypatch.setattr(f"jeton.background.maintenance.{name}", 0)
    begun, end, refreshed = threading.Event(), threading.Event(), threading.Event()

    def work(name: str) -> int:
        if name == slow:
            begun.set()
            assert end.wait(10)
        return 0

    def refresh() -> None:
        if begun.is_set():
            refreshed.set()

    shared_state = Mock(refresh=refresh, apply_ceiling=lambda: work("apply_ceiling"))
    purge = Mock(delete_expired_batch=lambda: work("delete_expired_batch"))
    maintenance = Maintenance(shared_state, purge, Mock(), TaskThread("maintenance"), TaskThread("housekeeping"))
    running = asyncio.create_task(maintenance.run())

    assert await asyncio.to_thread(refreshed.wait, 10)

    running.cancel()
    end.set()
    await asyncio.wait([running])
    maintenance.close()
