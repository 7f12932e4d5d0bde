"""The clock follows the database, and notices when this machine was suspended or its time was set."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from jeton.storage.clock import Clock

TODAY = 1_800_000_000
HOUR = 3600
ON_SQLITE: Any = SimpleNamespace(dialect=SimpleNamespace(name="sqlite"))


@dataclass
class Machine:
    """The clocks of a machine, with the functions of the module `time`."""

    wall: float = TODAY
    boot: float = 1000
    awake: float = 1000

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.awake

    def clock_gettime(self, _: int) -> float:
        return self.boot

    def run(self, seconds: float) -> None:
        self.suspend(seconds)
        self.awake += seconds

    def suspend(self, seconds: float) -> None:
        self.wall, self.boot = self.wall + seconds, self.boot + seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr("jeton.storage.clock.time", machine)
    return machine


@pytest.fixture
def clock(machine: Machine) -> Clock:
    clock = Clock()
    clock.follow(ON_SQLITE)
    return clock


@pytest.mark.parametrize(("step", "certain"), [(-4, True), (4, True), (-5, False), (5, False), (8 * HOUR, False)])
def test_set_wall_clock_changes_nothing_until_the_database_is_read_and_a_large_step_makes_it_uncertain(
    machine: Machine, clock: Clock, step: int, certain: bool
) -> None:
    machine.run(1)
    machine.wall += step

    assert (clock.now(), clock.is_certain) == (TODAY + 1, certain)
    clock.follow(ON_SQLITE)
    assert (clock.now(), clock.is_certain) == (TODAY + 1 + step, True)


def test_suspended_machine_has_the_time_at_once_and_is_certain_after_reading_the_database(
    machine: Machine, clock: Clock
) -> None:
    machine.suspend(8 * HOUR)

    assert (clock.now(), clock.is_certain) == (TODAY + 8 * HOUR, False)
    clock.follow(ON_SQLITE)
    assert (clock.now(), clock.is_certain, clock.is_steady) == (TODAY + 8 * HOUR, True, True)


@pytest.mark.parametrize(("step", "steady"), [(200 * 86400, False), (61, False), (60, True), (-HOUR, True)])
def test_time_that_jumped_ahead_is_not_steady_for_an_hour(
    machine: Machine, clock: Clock, step: int, steady: bool
) -> None:
    machine.wall += step
    clock.follow(ON_SQLITE)

    assert clock.is_steady is steady
    machine.wall -= step
    clock.follow(ON_SQLITE)
    machine.run(HOUR - 1)
    assert clock.is_steady is (steady and step > 0)
    machine.run(1)
    assert clock.is_steady


def test_first_reading_of_the_database_is_no_jump(machine: Machine) -> None:
    clock = Clock()
    machine.wall += 200 * 86400
    clock.follow(ON_SQLITE)

    assert clock.is_steady
