"""The clock: it goes by the database, and notices when this machine was asleep or its time was set."""

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
    """The clocks of a machine, as `time` tells them."""

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
        self.wall, self.boot, self.awake = self.wall + seconds, self.boot + seconds, self.awake + seconds

    def suspend(self, seconds: float) -> None:
        self.wall, self.boot = self.wall + seconds, self.boot + seconds

    def set(self, seconds: float) -> None:
        self.wall += seconds


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


@pytest.mark.parametrize("step", [-4, 4])
def test_a_small_step_of_the_wall_clock_changes_nothing_between_two_looks(
    machine: Machine, clock: Clock, step: int
) -> None:
    machine.run(1)
    machine.set(step)

    assert (clock.now(), clock.is_certain) == (TODAY + 1, True)


def test_after_a_suspend_it_is_right_at_once_and_certain_after_the_next_look(machine: Machine, clock: Clock) -> None:
    machine.suspend(8 * HOUR)

    assert (clock.now(), clock.is_certain) == (TODAY + 8 * HOUR, False)
    clock.follow(ON_SQLITE)
    assert (clock.now(), clock.is_certain, clock.is_steady) == (TODAY + 8 * HOUR, True, True)


def test_a_paused_virtual_machine_is_not_certain_until_it_has_looked(machine: Machine, clock: Clock) -> None:
    machine.set(8 * HOUR)

    assert not clock.is_certain
    clock.follow(ON_SQLITE)
    assert (clock.now(), clock.is_certain) == (TODAY + 8 * HOUR, True)


@pytest.mark.parametrize(("step", "steady"), [(200 * 86400, False), (61, False), (59, True), (-HOUR, True)])
def test_what_jumped_ahead_is_not_deleted_by_for_an_hour(
    machine: Machine, clock: Clock, step: int, steady: bool
) -> None:
    machine.set(step)
    clock.follow(ON_SQLITE)

    assert clock.is_steady is steady
    machine.set(-step)
    clock.follow(ON_SQLITE)
    machine.run(HOUR - 1)
    assert clock.is_steady is (steady and step > 0)
    machine.run(1)
    assert clock.is_steady


def test_setting_itself_by_the_database_for_the_first_time_is_no_jump(machine: Machine) -> None:
    clock = Clock()
    machine.set(200 * 86400)
    clock.follow(ON_SQLITE)

    assert clock.is_steady
