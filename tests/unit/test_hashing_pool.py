"""The hashing pool: bounded concurrency and queue; a thread belongs to the work, not to the caller."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from functools import partial
from unittest.mock import Mock

import pytest

from jeton.crypto.hashing_pool import HashingBusyError, HashingPool
from support.metrics import value_of

PLACES = 17  # of one thread: one job runs, sixteen wait
HOME = "192.0.2.1"
pytestmark = pytest.mark.requirement("O16")


@pytest.fixture
def pool() -> Iterator[HashingPool]:
    pool = HashingPool(1)
    yield pool
    pool.close()


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """An event for which a simulated slow hash waits. It is set at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


async def fill(pool: HashingPool, release: threading.Event) -> list[asyncio.Task[bool]]:
    tasks = [asyncio.create_task(pool.run(release.wait, "alice", HOME)) for _ in range(PLACES)]
    await asyncio.sleep(0)
    return tasks


async def test_full_queue_is_refused_at_once_and_all_queued_jobs_run(
    pool: HashingPool, release: threading.Event
) -> None:
    waiting = await fill(pool, release)

    with pytest.raises(HashingBusyError):
        await asyncio.wait_for(pool.run(lambda: True, "alice", HOME), 5)
    assert not any(task.done() for task in waiting)

    release.set()
    assert await asyncio.gather(*waiting) == [True] * PLACES
    assert await asyncio.gather(*await fill(pool, release)) == [True] * PLACES


@pytest.mark.requirement("ME06")
async def test_running_waiting_and_refused_hashes_are_shown(pool: HashingPool, release: threading.Event) -> None:
    def hashes() -> dict[str, float]:
        return {state: value_of("jeton_password_hashes", state=state) for state in ("running", "waiting")}

    before, refused = hashes(), value_of("jeton_overloads_total", queue="hashing")
    waiting = await fill(pool, release)

    assert hashes() == {"running": before["running"] + 1, "waiting": PLACES - 1}
    with pytest.raises(HashingBusyError):
        await pool.run(lambda: True, "alice", HOME)
    assert value_of("jeton_overloads_total", queue="hashing") == refused + 1

    release.set()
    await asyncio.gather(*waiting)
    assert hashes() == {"running": before["running"], "waiting": 0}


async def test_cancelled_caller_frees_its_queue_place_but_not_the_thread(
    pool: HashingPool, release: threading.Event
) -> None:
    runs = threading.Semaphore(0)
    cancelled = await fill(pool, release)
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)

    following = [asyncio.create_task(pool.run(runs.release, "alice", HOME)) for _ in range(PLACES - 1)]
    await asyncio.sleep(0)
    assert not runs.acquire(blocking=False)
    release.set()
    await asyncio.gather(*following)
    assert [runs.acquire(blocking=False) for _ in range(PLACES)] == [True] * (PLACES - 1) + [False]


@pytest.mark.parametrize(
    "crowd",
    [
        pytest.param([("alice", f"198.51.100.{it}") for it in range(50)], id="one account from many networks"),
        pytest.param([(f"user{it}", "198.51.100.7") for it in range(50)], id="many accounts from one network"),
        pytest.param([(f"user{it % 7}", f"198.51.100.{it % 7}") for it in range(50)], id="seven of each"),
    ],
)
async def test_no_account_or_network_starves_others(
    pool: HashingPool, release: threading.Event, crowd: list[tuple[str, str]]
) -> None:
    order: list[str] = []

    def work(name: str) -> Callable[[], None]:
        return lambda: order.append(name) if release.wait() else None

    tasks = [asyncio.create_task(pool.run(work("crowd"), *it)) for it in crowd]
    await asyncio.sleep(0)
    others = [asyncio.create_task(pool.run(work(name), name, f"203.0.113.{name}")) for name in "12345"]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(*others)
    refused = [it for it in await asyncio.gather(*tasks, return_exceptions=True) if it is not None]

    assert {type(it) for it in refused} == {HashingBusyError}
    assert len(order) == PLACES
    assert set(order[: 1 + 7 + 5]) == {"crowd", *"12345"}


async def test_accounts_are_served_in_turn(pool: HashingPool, release: threading.Event) -> None:
    order: list[str] = []
    first = asyncio.create_task(pool.run(release.wait, "alice", HOME))
    tasks = [
        asyncio.create_task(pool.run(partial(order.append, name), name, f"192.0.2.{name}"))
        for name in ("alice", "alice", "alice", "bob", "bob", "carol")
    ]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(first, *tasks)

    assert order == ["bob", "carol", "alice", "bob", "alice", "alice"]


async def test_close_refuses_waiting_jobs(pool: HashingPool, release: threading.Event) -> None:
    first, *waiting = await fill(pool, release)
    closing = asyncio.get_running_loop().run_in_executor(None, pool.close)
    await asyncio.sleep(0)
    release.set()
    await closing

    assert await first
    assert {type(it) for it in await asyncio.gather(*waiting, return_exceptions=True)} == {HashingBusyError}


@pytest.mark.parametrize(
    ("failure", "raised"), [(ZeroDivisionError, ZeroDivisionError), (MemoryError, HashingBusyError)]
)
async def test_failed_work_frees_its_place_and_a_lack_of_memory_is_temporary(
    pool: HashingPool, failure: type[Exception], raised: type[Exception]
) -> None:
    for _ in range(PLACES + 1):
        with pytest.raises(raised):
            await pool.run(Mock(side_effect=failure), "alice", HOME)
    assert await pool.run(threading.get_ident, "alice", HOME) != threading.get_ident()


async def test_concurrency_never_exceeds_the_threads() -> None:
    pool = HashingPool(2)
    running, most, lock, both = 0, 0, threading.Lock(), threading.Event()

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

    await asyncio.gather(*(pool.run(work, "alice", HOME) for _ in range(2 * PLACES)))
    pool.close()

    assert most == 2


async def test_system_that_has_no_thread_left_loses_no_place(
    pool: HashingPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = value_of("jeton_password_hashes", state="running")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
        with pytest.raises(HashingBusyError):
            await asyncio.wait_for(pool.run(lambda: True, "alice", HOME), 5)
    assert value_of("jeton_password_hashes", state="running") == running
    assert await asyncio.wait_for(pool.run(lambda: True, "alice", HOME), 5)
