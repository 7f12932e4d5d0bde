"""Gathering: what waits is done together, within bounds, and nobody's outcome is mixed up with another's."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from jeton.storage.batching import Batcher, BatcherBusyError


class Work:
    """Doubles numbers; keeps each call's items; waits at the gate where it is closed; fails for what it is told."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.open = threading.Event()
        self.open.set()
        self.begun = threading.Event()
        self.bad: Exception | None = None

    def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.groups.append(list(items))
        self.begun.set()
        assert self.open.wait(10)
        if self.bad is not None:
            raise self.bad
        return [ValueError(f"{item} is negative") if item < 0 else 2 * item for item in items]


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
async def gather(work: Work) -> AsyncIterator[Batcher[int, int]]:
    gathering = Batcher[int, int]("test", work, max_batch=4, max_waiting=10)
    yield gathering
    work.open.set()
    gathering.close()


async def under_way(work: Work, gather: Batcher[int, int], item: int) -> asyncio.Task[int]:
    """A first item whose work has begun and is held at the gate."""
    work.open.clear()
    first = asyncio.ensure_future(gather(item))
    while not work.begun.is_set():
        await asyncio.sleep(0)
    assert isinstance(first, asyncio.Task)
    return first


async def test_an_item_alone_is_done_alone(work: Work, gather: Batcher[int, int]) -> None:
    assert await gather(1) == 2
    assert work.groups == [[1]]


async def test_whoever_comes_while_others_go_on_with_their_result_is_of_the_next_group(
    work: Work, gather: Batcher[int, int]
) -> None:
    first = await under_way(work, gather, 1)

    async def go_on() -> int:
        await first
        return await gather(2)

    async def come_later() -> int:
        await first
        await asyncio.sleep(0)
        return await gather(3)

    going = asyncio.gather(go_on(), come_later())
    work.open.set()
    await going

    assert work.groups == [[1], [2, 3]]


async def test_what_is_ready_in_one_turn_of_the_loop_is_one_group(work: Work, gather: Batcher[int, int]) -> None:
    assert await asyncio.gather(*(gather(number) for number in (1, 2, 3))) == [2, 4, 6]
    assert work.groups == [[1, 2, 3]]


async def test_what_comes_while_work_runs_is_the_next_group(work: Work, gather: Batcher[int, int]) -> None:
    first = await under_way(work, gather, 1)
    later = [asyncio.ensure_future(gather(number)) for number in (2, 3)]
    await asyncio.sleep(0)
    work.open.set()

    assert await asyncio.gather(first, *later) == [2, 4, 6]
    assert work.groups == [[1], [2, 3]]


async def test_no_group_is_larger_than_the_most_and_order_is_kept(work: Work, gather: Batcher[int, int]) -> None:
    results = await asyncio.gather(*(gather(number) for number in range(10)))

    assert results == [2 * number for number in range(10)]
    assert work.groups == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


async def test_beyond_the_room_callers_are_refused_at_once_and_the_others_served(
    work: Work, gather: Batcher[int, int]
) -> None:
    first = await under_way(work, gather, 0)
    waiting = [asyncio.ensure_future(gather(number)) for number in range(1, 11)]
    await asyncio.sleep(0)

    with pytest.raises(BatcherBusyError):
        await gather(11)

    work.open.set()
    assert await asyncio.gather(first, *waiting) == [2 * number for number in range(11)]
    assert await gather(12) == 24


async def test_a_caller_who_gave_up_before_his_turn_is_left_out(work: Work, gather: Batcher[int, int]) -> None:
    first = await under_way(work, gather, 1)
    staying, leaving = (asyncio.ensure_future(gather(number)) for number in (2, 3))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    work.open.set()

    assert (await first, await staying) == (2, 4)
    assert work.groups == [[1], [2]]


async def test_a_caller_who_gave_up_meanwhile_disturbs_nobody(work: Work, gather: Batcher[int, int]) -> None:
    leaving = await under_way(work, gather, 1)
    staying = asyncio.ensure_future(gather(2))
    leaving.cancel()
    await asyncio.wait([leaving])
    work.open.set()

    assert await staying == 4
    assert await gather(3) == 6


async def test_where_all_gave_up_nothing_is_done_and_the_next_one_is_served(
    work: Work, gather: Batcher[int, int]
) -> None:
    leaving = asyncio.ensure_future(gather(1))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])

    assert await gather(2) == 4
    assert work.groups == [[2]]


async def test_an_exception_for_one_item_is_its_callers_only(gather: Batcher[int, int]) -> None:
    results = await asyncio.gather(gather(1), gather(-1), gather(2), return_exceptions=True)

    assert (results[0], results[2]) == (2, 4)
    assert isinstance(results[1], ValueError)


async def test_work_that_fails_fails_its_whole_group_and_not_the_next(work: Work, gather: Batcher[int, int]) -> None:
    work.bad = OSError("gone")
    results = await asyncio.gather(gather(1), gather(2), return_exceptions=True)
    work.bad = None

    assert [type(it) for it in results] == [OSError, OSError]
    assert await gather(3) == 6


async def test_work_runs_one_call_at_a_time_in_a_thread_of_its_own() -> None:
    threads: list[int] = []
    running = 0
    most_running = 0

    def work(items: Sequence[int]) -> list[int]:
        nonlocal running, most_running
        running += 1
        most_running = max(most_running, running)
        threads.append(threading.get_ident())
        running -= 1
        return list(items)

    gather = Batcher[int, int]("test", work, max_batch=1)
    await asyncio.gather(*(gather(number) for number in range(20)))
    gather.close()

    assert (len(threads), len(set(threads)), most_running) == (20, 1, 1)
    assert threading.get_ident() not in threads
