"""Argon2id cost calibration (RFC 9106 section 4), on simulated machines."""

from collections.abc import Callable

import pytest

from jeton.crypto.hash_calibration import MIN_COSTS, Costs, calibrate_costs, measure
from jeton.crypto.passwords import MAX_ITERATIONS

MIB = 1024


class Machine:
    """A machine on which only hashing takes time: MiB times iterations. The first hash with given costs is slower."""

    def __init__(self, mib_per_second: float, *, per_hash: float = 0.0) -> None:
        self.time = 0.0
        self.hashed: list[Costs] = []
        self._mib_per_second = mib_per_second
        self._per_hash = per_hash

    def timer(self) -> float:
        return self.time

    def hasher(self, costs: Costs) -> Callable[[], object]:
        def make_hash() -> None:
            slow = 10 if costs not in self.hashed else 1
            self.hashed.append(costs)
            work = costs.memory_kib / MIB * costs.iterations
            self.time += slow * (self._per_hash + work / self._mib_per_second)

        return make_hash


def test_measurement_is_the_median() -> None:
    machine = Machine(460)

    assert measure(MIN_COSTS, machine.timer, machine.hasher).seconds == pytest.approx(0.1)
    assert len(machine.hashed) == 5


@pytest.mark.requirement("N12")
@pytest.mark.parametrize(
    ("mib_per_second", "target_ms", "max_mib", "costs"),
    [
        pytest.param(1000, 100, 128, Costs(100 * MIB, 1), id="memory"),
        pytest.param(1280, 100, 128, Costs(128 * MIB, 1), id="all the memory"),
        pytest.param(2000, 100, 128, Costs(128 * MIB, 1), id="not yet a second iteration"),
        pytest.param(2600, 100, 128, Costs(128 * MIB, 2), id="second iteration"),
        pytest.param(2600, 500, 128, Costs(128 * MIB, 10), id="iterations"),
        pytest.param(100_000, 10_000, 128, Costs(128 * MIB, MAX_ITERATIONS), id="maximum"),
        pytest.param(460, 100, 128, MIN_COSTS, id="exactly the minimum"),
        pytest.param(200, 100, 128, MIN_COSTS, id="slow machine"),
        pytest.param(1000, 1, 128, MIN_COSTS, id="too short a target"),
        pytest.param(5000, 400, 46, Costs(46 * MIB, MAX_ITERATIONS), id="46 MiB"),
        pytest.param(5000, 400, 64, Costs(64 * MIB, MAX_ITERATIONS), id="64 MiB"),
        pytest.param(5000, 400, 1024, Costs(1024 * MIB, 1), id="1 GiB"),
    ],
)
def test_memory_grows_before_iterations_and_both_stay_within_their_limits(
    mib_per_second: int, target_ms: int, max_mib: int, costs: Costs
) -> None:
    machine = Machine(mib_per_second)

    assert calibrate_costs(target_ms / 1000, max_mib * MIB, machine.timer, machine.hasher).costs == costs
    assert all(it.memory_kib <= max_mib * MIB for it in machine.hashed)


def test_second_measurement_corrects_a_constant_overhead() -> None:
    machine = Machine(1000, per_hash=0.02)

    assert calibrate_costs(0.1, 128 * MIB, machine.timer, machine.hasher).seconds == pytest.approx(0.1, rel=0.1)
    assert len(machine.hashed) <= 15
