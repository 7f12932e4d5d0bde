"""Batching: waiting items are processed together, within bounds, and each caller gets the result of its own item."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from typing import TypeAlias
from unittest.mock import Mock

import pytest

from jeton.storage.batching import Batcher, BatcherBusyError
from jeton.storage.row_lock_batches import Pending, RowLockBatches, RowLockedError
from jeton.storage.task_thread import TaskThread

Caller: TypeAlias = "asyncio.Task[int]"
IntBatcher: TypeAlias = Batcher[int, int]


class Work:
    """Work that doubles numbers and records each batch.

    It waits for `open`; it fails with `error`, and for each negative number.
    """

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = threading.Event()
        self.open.set()
        self.begun = threading.Event()
        self.error: Exception | None = None

    def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.begun.set()
        assert self.open.wait(10)
        if self.error is not None:
            raise self.error
        return [ValueError(f"{item} is negative") if item < 0 else 2 * item for item in items]


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
async def batcher(work: Work) -> AsyncIterator[IntBatcher]:
    started = IntBatcher("test", work, max_batch=4, max_waiting=10)
    yield started
    work.open.set()
    started.close()


async def call_together(batcher: IntBatcher, *items: int) -> list[Caller]:
    """Start callers with these items within one iteration of the event loop."""
    callers = [asyncio.create_task(batcher(item)) for item in items]
    await asyncio.sleep(0)
    return callers


async def cancel(caller: Caller) -> None:
    caller.cancel()
    await asyncio.wait([caller])


@pytest.fixture
async def first(work: Work, batcher: IntBatcher) -> Caller:
    """The caller with the item 0, whose batch is running until `work.open` is set."""
    work.open.clear()
    (caller,) = await call_together(batcher, 0)
    while not work.begun.is_set():
        await asyncio.sleep(0)
    return caller


async def test_thread_starts_with_the_first_item_or_its_caller_gets_the_error(
    batcher: IntBatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("no thread")))
        with pytest.raises(RuntimeError, match="no thread"):
            await batcher(1)

    assert "test" not in {it.name for it in threading.enumerate()}
    assert await batcher(1) == 2


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (3, [3]), (4, [4]), (10, [4, 4, 2])])
async def test_items_that_arrive_together_form_bounded_batches_in_order(
    work: Work, batcher: IntBatcher, count: int, sizes: list[int]
) -> None:
    assert await asyncio.gather(*await call_together(batcher, *range(count))) == [2 * item for item in range(count)]
    assert [len(it) for it in work.batches] == sizes
    assert [item for batch in work.batches for item in batch] == list(range(count))


async def test_items_that_arrive_during_a_batch_form_the_next(work: Work, batcher: IntBatcher, first: Caller) -> None:
    later = await call_together(batcher, 1, 2)
    work.open.set()

    assert await asyncio.gather(first, *later) == [0, 2, 4]
    assert work.batches == [[0], [1, 2]]


async def test_completed_callers_join_the_batch_of_new_arrivals(work: Work, batcher: IntBatcher, first: Caller) -> None:
    async def after_the_first(iterations: int, item: int) -> int:
        await first
        for _ in range(iterations):
            await asyncio.sleep(0)
        return await batcher(item)

    callers = asyncio.gather(after_the_first(0, 1), after_the_first(1, 2))
    work.open.set()

    assert list(await callers) == [2, 4]
    assert work.batches == [[0], [1, 2]]


async def test_too_many_callers_are_refused_and_the_others_served(
    work: Work, batcher: IntBatcher, first: Caller
) -> None:
    waiting = await call_together(batcher, *range(1, 11))

    with pytest.raises(BatcherBusyError):
        await batcher(11)

    work.open.set()
    assert await asyncio.gather(first, *waiting) == [2 * item for item in range(11)]
    assert await batcher(12) == 24


async def test_a_caller_cancelled_before_its_batch_is_left_out(work: Work, batcher: IntBatcher, first: Caller) -> None:
    staying, leaving = await call_together(batcher, 1, 2)
    await cancel(leaving)
    work.open.set()

    assert (await first, await staying) == (0, 2)
    assert work.batches == [[0], [1]]


async def test_a_caller_cancelled_during_its_batch_disturbs_no_other(
    work: Work, batcher: IntBatcher, first: Caller
) -> None:
    (staying,) = await call_together(batcher, 1)
    await cancel(first)
    work.open.set()

    assert await staying == 2
    assert await batcher(2) == 4


async def test_a_batch_without_callers_is_not_run(work: Work, batcher: IntBatcher) -> None:
    (leaving,) = await call_together(batcher, 1)
    await cancel(leaving)

    assert await batcher(2) == 4
    assert work.batches == [[2]]


async def test_an_exception_for_one_item_is_raised_to_its_caller_only(batcher: IntBatcher) -> None:
    one, failed, other = await asyncio.gather(*await call_together(batcher, 1, -1, 2), return_exceptions=True)

    assert (one, other) == (2, 4)
    assert isinstance(failed, ValueError)


async def test_work_that_fails_fails_for_its_batch_only(work: Work, batcher: IntBatcher) -> None:
    work.error = OSError("gone")
    results = await asyncio.gather(*await call_together(batcher, 1, 2), return_exceptions=True)
    work.error = None

    assert [repr(it) for it in results] == ["OSError('gone')"] * 2
    assert results[0] is not results[1]
    assert await batcher(3) == 6


async def test_batches_run_one_at_a_time_in_a_thread_of_their_own() -> None:
    threads: list[int] = []
    running = threading.Lock()

    def work(items: Sequence[int]) -> Sequence[int]:
        assert running.acquire(blocking=False)
        threads.append(threading.get_ident())
        running.release()
        return items

    batcher = IntBatcher("test", work, max_batch=1)
    await asyncio.gather(*await call_together(batcher, *range(20)))
    batcher.close()

    assert (len(threads), len(set(threads))) == (20, 1)
    assert threading.get_ident() not in threads


async def test_row_that_a_cancelled_caller_needed_delays_no_later_one() -> None:
    threads: list[str] = []
    begun, opened = threading.Event(), threading.Event()

    def transaction(batch: Sequence[Pending[str]], *, wait: bool) -> list[str | Exception]:
        threads.append(threading.current_thread().name)
        if not opened.is_set():
            begun.set()
            assert opened.wait(10)
            return [RowLockedError() for _ in batch]
        return [it.item for it in batch]

    batches = RowLockBatches[str, str]("test", transaction, lambda row: (row,))
    caller = asyncio.create_task(batches("row"))
    while not begun.is_set():
        await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait([caller])
    opened.set()

    assert await batches("row") == "row"
    batches.close()

    assert threads == ["test", "test"]


async def test_task_that_fails_lets_those_that_wait_with_it_be_done_and_their_number_is_bounded() -> None:
    thread = TaskThread("test", max_waiting=3)
    callers = [asyncio.ensure_future(thread(task)) for task in (lambda: 1, lambda: 1 // 0, lambda: 2)]
    await asyncio.sleep(0)

    with pytest.raises(BatcherBusyError):
        await thread(lambda: 3)
    first, failed, third = await asyncio.gather(*callers, return_exceptions=True)
    thread.close()

    assert (first, type(failed), third) == (1, ZeroDivisionError, 2)
