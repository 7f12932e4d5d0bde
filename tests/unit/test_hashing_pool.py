"""The hashing pool: bounded concurrency and queue; a thread belongs to the work, not to the caller."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from jeton.crypto.hashing_pool import HashingBusyError, HashingPool

PLACES = 17  # of one thread: one runs, sixteen wait
HOME = "192.0.2.1"


@pytest.fixture
def gate() -> Iterator[HashingPool]:
    gate = HashingPool(1)
    yield gate
    gate.close()


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Work that waits for this stands for a slow hash; what still waits at the end of the test is let go."""
    event = threading.Event()
    yield event
    event.set()


def filled(gate: HashingPool, release: threading.Event) -> list[asyncio.Task[bool]]:
    return [asyncio.create_task(gate.run(release.wait, "alice", HOME)) for _ in range(PLACES)]


async def test_work_runs_in_another_thread_and_returns_its_result(gate: HashingPool) -> None:
    assert await gate.run(threading.get_ident, "alice", HOME) != threading.get_ident()


@pytest.mark.requirement("O16")
async def test_full_queue_is_refused_at_once(gate: HashingPool, release: threading.Event) -> None:
    waiting = filled(gate, release)
    await asyncio.sleep(0)

    with pytest.raises(HashingBusyError):
        await asyncio.wait_for(gate.run(lambda: True, "alice", HOME), 5)

    assert not any(task.done() for task in waiting)


@pytest.mark.requirement("O16")
async def test_all_queued_jobs_run_and_free_their_places(gate: HashingPool, release: threading.Event) -> None:
    waiting = filled(gate, release)
    await asyncio.sleep(0)
    release.set()

    assert await asyncio.gather(*waiting) == [True] * PLACES
    assert await asyncio.gather(*filled(gate, release)) == [True] * PLACES


@pytest.mark.requirement("O16")
async def test_cancelled_caller_frees_its_queue_place_but_not_the_thread(
    gate: HashingPool, release: threading.Event
) -> None:
    runs = threading.Semaphore(0)
    first, *waiting = filled(gate, release)
    await asyncio.sleep(0)
    for task in (first, *waiting):
        task.cancel()
    await asyncio.gather(first, *waiting, return_exceptions=True)

    following = [asyncio.create_task(gate.run(runs.release, "alice", HOME)) for _ in range(PLACES - 1)]
    await asyncio.sleep(0)
    assert not runs.acquire(blocking=False)
    release.set()
    await asyncio.gather(*following)
    assert [runs.acquire(blocking=False) for _ in range(PLACES)] == [True] * (PLACES - 1) + [False]


@pytest.mark.requirement("O16")
@pytest.mark.parametrize(
    "crowd",
    [
        pytest.param([("alice", f"198.51.100.{it}") for it in range(50)], id="one account from many networks"),
        pytest.param([(f"user{it}", "198.51.100.7") for it in range(50)], id="many accounts from one network"),
        pytest.param([(f"user{it % 7}", f"198.51.100.{it % 7}") for it in range(50)], id="seven of each"),
    ],
)
async def test_no_account_or_network_starves_others(
    gate: HashingPool, release: threading.Event, crowd: list[tuple[str, str]]
) -> None:
    order: list[str] = []

    def work(name: str) -> Callable[[], None]:
        def wait() -> None:
            release.wait()
            order.append(name)

        return wait

    tasks = [asyncio.create_task(gate.run(work("crowd"), *it)) for it in crowd]
    await asyncio.sleep(0)
    others = [asyncio.create_task(gate.run(work(name), name, f"203.0.113.{name}")) for name in "12345"]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(*others)
    refused = [it for it in await asyncio.gather(*tasks, return_exceptions=True) if it is not None]

    assert {type(it) for it in refused} == {HashingBusyError}
    assert len(order) == PLACES
    assert set(order[: 1 + 7 + 5]) == {"crowd", *"12345"}


async def test_accounts_are_served_in_turn(gate: HashingPool, release: threading.Event) -> None:
    order: list[str] = []
    first = asyncio.create_task(gate.run(release.wait, "alice", HOME))
    tasks = [
        asyncio.create_task(gate.run(partial(order.append, name), name, f"192.0.2.{name}"))
        for name in ("alice", "alice", "alice", "bob", "bob", "carol")
    ]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(first, *tasks)

    assert order == ["bob", "carol", "alice", "bob", "alice", "alice"]


async def test_close_refuses_waiting_jobs(gate: HashingPool, release: threading.Event) -> None:
    first, *waiting = filled(gate, release)
    await asyncio.sleep(0)
    closing = asyncio.get_running_loop().run_in_executor(None, gate.close)
    await asyncio.sleep(0)
    release.set()
    await closing

    assert await first
    assert {type(it) for it in await asyncio.gather(*waiting, return_exceptions=True)} == {HashingBusyError}


@pytest.mark.requirement("O16")
async def test_failed_work_frees_its_place(gate: HashingPool) -> None:
    for _ in range(PLACES + 1):
        with pytest.raises(ZeroDivisionError):
            await gate.run(lambda: 1 // 0, "alice", HOME)


@pytest.mark.requirement("O16")
async def test_concurrency_never_exceeds_the_threads(release: threading.Event) -> None:
    gate = HashingPool(2)
    running, lock, most = 0, threading.Lock(), 0
    both = threading.Event()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 2:
                both.set()
        both.wait()
        with lock:
            running -= 1

    await asyncio.gather(*(gate.run(work, "alice", HOME) for _ in range(2 * PLACES)))
    gate.close()

    assert most == 2
