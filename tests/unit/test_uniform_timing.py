"""Uniform timing of refusals before any password was checked, and after."""

import asyncio
import time

import pytest

from jeton.login.uniform_timing import UniformTiming


class Check:
    """A password check that takes until it is released."""

    def __init__(self) -> None:
        self.runs = 0
        self.may_end = asyncio.Event()

    async def __call__(self) -> None:
        self.runs += 1
        await self.may_end.wait()


async def test_refusals_before_the_first_check_wait_for_one_check_together() -> None:
    check = Check()
    timing = UniformTiming(check)
    background = asyncio.create_task(timing.run())
    refusals = [asyncio.create_task(timing.delay(time.monotonic())) for _ in range(3)]
    await asyncio.sleep(0)

    assert [it.done() for it in refusals] == [False] * 3
    check.may_end.set()
    await asyncio.gather(background, *refusals)
    assert check.runs == 1


async def test_refusals_after_a_check_wait_for_its_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    check = Check()
    timing = UniformTiming(check)
    timing.record(time.monotonic() - 5)
    monkeypatch.setattr(asyncio, "sleep", sleep)

    await timing.delay(time.monotonic())

    assert waited == [pytest.approx(5, abs=0.5)]
    assert check.runs == 0
