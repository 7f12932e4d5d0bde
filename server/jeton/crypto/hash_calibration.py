"""Argon2id cost calibration for a machine: memory first, then iterations (RFC 9106 section 4)."""

from collections.abc import Callable
from statistics import median
from typing import Final

from jeton.crypto.credentials import generate_password
from jeton.crypto.passwords import MAX_ITERATIONS, Passwords
from jeton.frozen import Frozen

_MIB: Final = 1024
_ROUNDS: Final = 5
# The second measurement is close to the target and corrects the prediction from the first one.
_STEPS: Final = 2


class Costs(Frozen):
    """Argon2id parameters, as in the settings `passwords.*`. One lane: other cores hash other passwords."""

    memory_kib: int
    iterations: int
    lanes: int = 1


# Of the equivalent minimum settings in OWASP's Password Storage Cheat Sheet, the one with the most memory.
MIN_COSTS: Final = Costs(memory_kib=47104, iterations=1)


class Measured(Frozen):
    """Parameters, and the time of one hash with them."""

    costs: Costs
    seconds: float


# Returns seconds from an arbitrary origin.
Timer = Callable[[], float]
# Returns a function that computes one hash with these parameters.
Hasher = Callable[[Costs], Callable[[], object]]


def argon2id(costs: Costs) -> Callable[[], object]:
    """Return a function that computes one Argon2id hash."""
    passwords, password = Passwords(costs.memory_kib, costs.iterations, costs.lanes), generate_password()
    return lambda: passwords.hash(password)


def measure(costs: Costs, timer: Timer, hasher: Hasher = argon2id) -> Measured:
    """Return the median time of several hashes."""
    make_hash = hasher(costs)
    times = []
    for _ in range(_ROUNDS):
        began = timer()
        make_hash()
        times.append(timer() - began)
    return Measured(costs, median(times))


def calibrate_costs(target_seconds: float, max_memory_kib: int, timer: Timer, hasher: Hasher = argon2id) -> Measured:
    """Return parameters for about this time and at most this memory, but never below MIN_COSTS."""
    found = measure(MIN_COSTS, timer, hasher)
    for _ in range(_STEPS):
        speed = found.costs.memory_kib * found.costs.iterations / found.seconds
        costs = _costs_of(speed * target_seconds, max_memory_kib)
        if costs == found.costs:
            break
        found = measure(costs, timer, hasher)
    return found


def _costs_of(work: float, max_memory_kib: int) -> Costs:
    """Return parameters for this work: KiB times iterations, to which the time is proportional."""
    memory_kib = max(MIN_COSTS.memory_kib, int(min(work, max_memory_kib)) // _MIB * _MIB)
    return Costs(memory_kib, max(MIN_COSTS.iterations, min(int(work // memory_kib), MAX_ITERATIONS)))
