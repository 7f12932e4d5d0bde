"""A thread that runs tasks one after the other, without blocking the event loop."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from jeton.storage.batching import Batcher

T = TypeVar("T")


class TaskThread:
    """Runs tasks in the order of their arrival, each as a batch of its own: one that raises concerns no other."""

    def __init__(self, name: str, *, max_waiting: int = 4096) -> None:
        self._batcher = Batcher[Callable[[], Any], Any](name, _run, max_batch=1, max_waiting=max_waiting)

    def __call__(self, task: Callable[[], T]) -> Awaitable[T]:
        """Return what the task returns. Raise BatcherBusyError if `max_waiting` tasks are waiting already."""
        return self._batcher(task)

    def close(self) -> None:
        """Finish the running task. Wait for it for two seconds at most."""
        self._batcher.close()


def _run(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    return [task() for task in tasks]
