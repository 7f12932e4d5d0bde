"""Which costs of Argon2id a machine can afford: as RFC 9106 section 4 goes about it, memory first, then iterations."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

from jeton.crypto.credentials import generate_password
from jeton.crypto.passwords import MAX_ITERATIONS, Passwords

_MIB: Final = 1024
_ROUNDS: Final = 5
# The second measure is of costs near the wanted ones, and corrects what the first one has foretold.
_STEPS: Final = 2


@dataclass(frozen=True, slots=True)
class Costs:
    """What one hash takes, as in the settings `passwords.*`. One lane: the other cores have other passwords to hash."""

    memory_kib: int
    iterations: int
    lanes: int = 1


# Of the equally strong minima of OWASP's Password Storage Cheat Sheet, the one with the most memory.
MIN_COSTS: Final = Costs(memory_kib=47104, iterations=1)


@dataclass(frozen=True, slots=True)
class Measured:
    """Costs, and how long one hash of them takes."""

    costs: Costs
    seconds: float


# Counts seconds, from whenever.
Timer = Callable[[], float]
# What makes one hash of these costs each time it is called.
Hasher = Callable[[Costs], Callable[[], object]]


def argon2id(costs: Costs) -> Callable[[], object]:
    """The true hasher."""
    passwords, password = Passwords(costs.memory_kib, costs.iterations, costs.lanes), generate_password()
    return lambda: passwords.hash(password)


def measure(costs: Costs, timer: Timer, hasher: Hasher = argon2id) -> Measured:
    """The median of several hashes, one after the other."""
    make_hash = hasher(costs)
    times = []
    for _ in range(_ROUNDS):
        began = timer()
        make_hash()
        times.append(timer() - began)
    return Measured(costs, median(times))


def calibrate_costs(target_seconds: float, most_memory_kib: int, timer: Timer, hasher: Hasher = argon2id) -> Measured:
    """The costs of a hash that takes about so long, and no more memory; never less than is safe, whatever it takes."""
    found = measure(MIN_COSTS, timer, hasher)
    for _ in range(_STEPS):
        speed = found.costs.memory_kib * found.costs.iterations / found.seconds
        costs = _costs_of(speed * target_seconds, most_memory_kib)
        if costs == found.costs:
            break
        found = measure(costs, timer, hasher)
    return found


def _costs_of(work: float, most_memory_kib: int) -> Costs:
    """Work is KiB times iterations, which is what time goes by."""
    memory_kib = max(MIN_COSTS.memory_kib, int(min(work, most_memory_kib)) // _MIB * _MIB)
    return Costs(memory_kib, max(MIN_COSTS.iterations, min(int(work // memory_kib), MAX_ITERATIONS)))
