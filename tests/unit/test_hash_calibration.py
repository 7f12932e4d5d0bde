"""Argon2id cost calibration (RFC 9106 section 4), on simulated machines."""

from collections.abc import Callable

import pytest

from jeton.crypto.hash_calibration import MIN_COSTS, Costs, calibrate_costs, measure
from jeton.crypto.passwords import MAX_ITERATIONS

MIB = 1024


class Machine:
    """Its time passes only while it hashes: so many MiB times iterations a second, the first of each costs slower."""

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


def proposed(machine: Machine, target_ms: int, most_mib: int = 128) -> Costs:
    return calibrate_costs(target_ms / 1000, most_mib * MIB, machine.timer, machine.hasher).costs


def test_measurement_is_the_median() -> None:
    machine = Machine(460)

    assert measure(MIN_COSTS, machine.timer, machine.hasher).seconds == pytest.approx(0.1)
    assert len(machine.hashed) == 5


@pytest.mark.requirement("N12")
@pytest.mark.parametrize(
    ("mib_per_second", "target_ms", "costs"),
    [
        pytest.param(1000, 100, Costs(100 * MIB, 1), id="memory"),
        pytest.param(1280, 100, Costs(128 * MIB, 1), id="all the memory"),
        pytest.param(2000, 100, Costs(128 * MIB, 1), id="not yet a second iteration"),
        pytest.param(2600, 100, Costs(128 * MIB, 2), id="a second iteration"),
        pytest.param(2600, 500, Costs(128 * MIB, 10), id="iterations"),
        pytest.param(100_000, 10_000, Costs(128 * MIB, MAX_ITERATIONS), id="as many as there may be"),
        pytest.param(460, 100, MIN_COSTS, id="exactly the least"),
        pytest.param(200, 100, MIN_COSTS, id="a slow machine"),
        pytest.param(1000, 1, MIN_COSTS, id="a hasty operator"),
    ],
)
def test_memory_grows_before_iterations_and_never_below_the_minimum(
    mib_per_second: int, target_ms: int, costs: Costs
) -> None:
    assert proposed(Machine(mib_per_second), target_ms) == costs


@pytest.mark.parametrize("most_mib", [46, 64, 1024])
def test_memory_limit_is_respected(most_mib: int) -> None:
    machine = Machine(5000)

    costs = proposed(machine, 400, most_mib)

    assert all(it.memory_kib <= most_mib * MIB for it in machine.hashed)
    assert costs.memory_kib == most_mib * MIB
    assert costs.iterations == min(2000 // most_mib, MAX_ITERATIONS)


def test_second_measurement_corrects_a_constant_overhead() -> None:
    machine = Machine(1000, per_hash=0.02)

    found = calibrate_costs(0.1, 128 * MIB, machine.timer, machine.hasher)

    assert found.seconds == pytest.approx(0.1, rel=0.1)
    assert len(machine.hashed) <= 15
