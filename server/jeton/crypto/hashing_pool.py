"""Bounded thread pool for password hashes, with a fair queue.

The job whose account and network were served least recently runs next. If the queue is full, the account or network
with the most jobs loses its newest one. So no account and no network can starve the others.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from jeton.frozen import Frozen
from jeton.oauth.errors import TemporarilyUnavailableError
from jeton.observability.metrics import OVERLOADS, PASSWORD_HASHES
from jeton.observability.tracing import tracing

_WAITING_PER_THREAD: Final = 16
_MAX_REMEMBERED: Final = 4096

T = TypeVar("T")


class HashingBusyError(TemporarilyUnavailableError):
    """The pool and its queue are full, or there is no memory or thread for a hash: try again in a moment."""


class _Job(Frozen, eq=False):
    """A hash to compute, for an account and from a network."""

    work: Callable[[], Any]
    account: str
    network: str | None
    result: asyncio.Future[Any]

    @property
    def queues(self) -> tuple[Hashable, Hashable]:
        return _queues(self.account, self.network)


def _busy() -> HashingBusyError:
    OVERLOADS.labels("hashing").inc()
    return HashingBusyError()


def _queues(account: str, network: str | None) -> tuple[Hashable, Hashable]:
    return ("account", account), ("network", network)


class HashingPool:
    """Runs as many hashes at once as there are threads.

    A caller that is cancelled does not stop its hash: the thread stays in use until the hash is computed.
    """

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="hashing")
        self._idle = threads
        self._max_waiting = threads * _WAITING_PER_THREAD
        self._waiting: list[_Job] = []
        self._served: dict[Hashable, int] = {}
        self._count = 0
        self._closed = False
        self._running_now, self._waiting_now = (PASSWORD_HASHES.labels(it) for it in ("running", "waiting"))

    def check_capacity(self, account: str, network: str | None) -> None:
        """Raise HashingBusyError if `run` would raise it for this account and network."""
        self._drop_abandoned()
        if len(self._waiting) >= self._max_waiting:
            self._find_displaceable(account, network)

    async def run(self, work: Callable[[], T], account: str, network: str | None) -> T:
        """Run `work` in a thread and return its result.

        Raise HashingBusyError if the queue has no place, or if there is no memory or thread.
        """
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        job = _Job(tracing.traced("password hash", work), account, network, result)
        if self._idle:
            self._start(job)
        else:
            self._enqueue(job)
        return await result

    def _drop_abandoned(self) -> None:
        """Remove waiting jobs whose callers were cancelled."""
        self._waiting = [job for job in self._waiting if not job.result.done()]

    def _enqueue(self, job: _Job) -> None:
        self._drop_abandoned()
        if len(self._waiting) >= self._max_waiting:
            displaced = self._find_displaceable(job.account, job.network)
            self._waiting.remove(displaced)
            displaced.result.set_exception(_busy())
        self._waiting.append(job)
        self._waiting_now.set(len(self._waiting))

    def _find_displaceable(self, account: str, network: str | None) -> _Job:
        """Return the newest job of the account or network with the most jobs.

        Raise HashingBusyError if the caller's own account or network has the most.
        """
        lengths = Counter(queue for job in self._waiting for queue in job.queues)
        own_length = 1 + max(lengths[queue] for queue in _queues(account, network))
        longest = max(reversed(self._waiting), key=lambda job: max(lengths[queue] for queue in job.queues))
        if max(lengths[queue] for queue in longest.queues) <= own_length:
            raise _busy()
        return longest

    def _start(self, job: _Job) -> None:
        self._idle -= 1
        self._running_now.inc()
        self._count += 1
        if len(self._served) >= _MAX_REMEMBERED:
            self._served.clear()
        self._served.update(dict.fromkeys(job.queues, self._count))
        loop = asyncio.get_running_loop()
        try:
            future = self._threads.submit(job.work)
        except RuntimeError:
            # The system has no thread left, or the pool is closed. Without this, the place would be lost for ever.
            self._idle += 1
            self._running_now.dec()
            job.result.set_exception(_busy())
            return
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._finish, job, done))

    def _finish(self, job: _Job, done: Future[Any]) -> None:
        self._idle += 1
        self._running_now.dec()
        self._drop_abandoned()
        if self._closed:
            for waiting in self._waiting:
                waiting.result.set_exception(HashingBusyError())
            self._waiting.clear()
        while self._idle and self._waiting:
            following = min(self._waiting, key=self._last_served)
            self._waiting.remove(following)
            self._start(following)
        self._waiting_now.set(len(self._waiting))
        error = done.exception()
        if job.result.done():
            return
        if error is None:
            job.result.set_result(done.result())
        else:
            job.result.set_exception(_busy() if isinstance(error, MemoryError) else error)

    def _last_served(self, job: _Job) -> int:
        return max(self._served.get(queue, 0) for queue in job.queues)

    def close(self) -> None:
        """Finish the running hashes; waiting callers get HashingBusyError."""
        self._closed = True
        self._threads.shutdown(wait=True)
