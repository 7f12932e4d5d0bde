"""The gate before Argon2: so many at once, so many waiting, the rest refused; a place belongs to the thread."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from jeton.crypto.passwords import HashingBusyError, HashingGate

PLACES = 5  # of one thread: one runs, four wait


@pytest.fixture
def gate() -> Iterator[HashingGate]:
    gate = HashingGate(1)
    yield gate
    gate.close()


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Work that waits for this stands for a slow hash; what still waits at the end of the test is let go."""
    event = threading.Event()
    yield event
    event.set()


def filled(gate: HashingGate, release: threading.Event) -> list[asyncio.Task[bool]]:
    return [asyncio.create_task(gate.run(release.wait)) for _ in range(PLACES)]


async def test_work_runs_in_another_thread_and_gives_its_outcome(gate: HashingGate) -> None:
    assert await gate.run(threading.get_ident) != threading.get_ident()


@pytest.mark.requirement("O16")
async def test_who_finds_no_place_is_refused_at_once(gate: HashingGate, release: threading.Event) -> None:
    waiting = filled(gate, release)
    await asyncio.sleep(0)

    with pytest.raises(HashingBusyError):
        await asyncio.wait_for(gate.run(lambda: True), 5)

    assert not any(task.done() for task in waiting)


@pytest.mark.requirement("O16")
async def test_everybody_with_a_place_is_served_and_the_places_are_free_again(
    gate: HashingGate, release: threading.Event
) -> None:
    waiting = filled(gate, release)
    await asyncio.sleep(0)
    release.set()

    assert await asyncio.gather(*waiting) == [True] * PLACES
    assert await asyncio.gather(*filled(gate, release)) == [True] * PLACES


@pytest.mark.requirement("O16")
async def test_a_caller_who_goes_away_does_not_free_the_place(gate: HashingGate, release: threading.Event) -> None:
    waiting = filled(gate, release)
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert all(task.cancelled() for task in waiting)
    with pytest.raises(HashingBusyError):
        await asyncio.wait_for(gate.run(lambda: True), 5)


@pytest.mark.requirement("O16")
async def test_the_place_is_free_when_the_abandoned_work_is_done(gate: HashingGate, release: threading.Event) -> None:
    *gone, last = filled(gate, release)
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    release.set()
    assert await last

    assert await asyncio.gather(*filled(gate, release)) == [True] * PLACES


@pytest.mark.requirement("O16")
async def test_work_that_fails_frees_its_place(gate: HashingGate) -> None:
    for _ in range(PLACES + 1):
        with pytest.raises(ZeroDivisionError):
            await gate.run(lambda: 1 // 0)


@pytest.mark.requirement("O16")
async def test_never_more_run_at_once_than_there_are_threads(release: threading.Event) -> None:
    gate = HashingGate(2)
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

    await asyncio.gather(*(gate.run(work) for _ in range(2 * PLACES)))
    gate.close()

    assert most == 2
