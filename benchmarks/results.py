"""Results of the benchmark, as they are kept in docs/performance/results.json."""

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from footprint import Memory, Start
from load import Window
from sign_in import SignIn
from status_list import StatusListCost
from verification import VerificationCost

FOLDER: Final = Path(__file__).parents[1] / "docs" / "performance"
FILE: Final = FOLDER / "results.json"

Signature: TypeAlias = Literal["RS256", "RS256 without IFMA", "ES256"]


class Machine(Struct, frozen=True):
    """Where and how the results were measured."""

    date: str
    processor: str
    cores: int
    ifma: bool
    python: str
    commit: str
    rounds: int
    seconds: int
    minutes: float


class Rate(Struct, frozen=True):
    """One operation under load. Processor times are in microseconds per request; medians of the windows.

    `share` is the rate as a share of the RS256 signatures that all cores can make, `ratio` the processor time in such
    signatures.
    """

    database: str
    signature: Signature
    operation: str
    sessions: int
    per_second: float
    share: float
    ratio: float
    ratio_min: float
    ratio_max: float
    loop_us: float
    threads_us: float
    database_us: float
    signature_us: float
    p50_ms: float
    p99_ms: float
    balance: float


class Results(Struct, frozen=True):
    """Everything that one run has measured. `http_us` and `es256_us`: an empty request, and a bare ES256 signature.

    `sign_in` is None if logins were refused because the machine was too busy.
    """

    machine: Machine
    rates: list[Rate]
    http_us: float
    es256_us: float
    starts: list[Start]
    memory: list[Memory]
    sign_in: SignIn | None
    verification: list[VerificationCost]
    status_list: list[StatusListCost]

    def rate(self, database: str, signature: Signature, operation: str, sessions: int = 16_384) -> Rate:
        """Return the rate; of operations that are measured once, at any number of sessions."""
        matching = [
            it for it in self.rates if (it.database, it.signature, it.operation) == (database, signature, operation)
        ]
        return next((it for it in matching if it.sessions == sessions), matching[0])


def summarize(database: str, signature: Signature, operation: str, sessions: int, windows: Sequence[Window]) -> Rate:
    """Return the medians of several windows."""
    ratios = [it.ratio for it in windows]
    return Rate(
        database,
        signature,
        operation,
        sessions,
        per_second=round(statistics.median(it.rate for it in windows), 1),
        share=round(statistics.median(it.share for it in windows), 4),
        ratio=round(statistics.median(ratios), 3),
        ratio_min=round(min(ratios), 3),
        ratio_max=round(max(ratios), 3),
        loop_us=_microseconds(it.loop for it in windows),
        threads_us=_microseconds(it.threads for it in windows),
        database_us=_microseconds(it.database for it in windows),
        signature_us=_microseconds(it.signature for it in windows),
        p50_ms=round(statistics.median(it.p50_ms for it in windows), 2),
        p99_ms=round(statistics.median(it.p99_ms for it in windows), 2),
        balance=round(min(it.balance for it in windows), 2),
    )


def _microseconds(seconds: Iterable[float]) -> float:
    return round(1e6 * statistics.median(seconds), 1)


def load_results() -> Results:
    return msgspec.json.decode(FILE.read_bytes(), type=Results)


def save_results(results: Results) -> None:
    FOLDER.mkdir(exist_ok=True)
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
