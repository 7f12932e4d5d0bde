"""Background work that requests must not notice."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from jeton.background.maintenance import Maintenance


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

    await Maintenance(None, deletions, None, deletions)._delete_expired()  # type: ignore[arg-type]  # stands for both

    assert deletions.pauses == [38, 38]
