"""Logins with the default password hash, and the latency of refreshes during them.

The rate of logins is a share of the rate at which all cores could compute the hashes if they did nothing else, measured
before and after. Rates of a shared machine vary from second to second, so the periods are long. The same hashes by the
library alone show what huge pages save (ADR 0044).
"""

import multiprocessing
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from argon2 import Parameters, Type
from argon2.low_level import ARGON2_VERSION, hash_secret_raw

from jeton.config.loading import load_settings
from jeton.crypto.argon2_hashes import compute_argon2_hash
from jeton.crypto.passwords import Passwords
from jeton.oauth.metadata import TOKEN_PATH
from load import HERE, Requests, milliseconds, word_after, wrk
from servers import Measured, measured_server

# 50 refreshes a second: enough for the 99th percentile not to be that of the five slowest.
SECONDS: Final = 20
HASH_SECONDS: Final = 4
USERS: Final = 64
# More would find the queue in front of the hashes full, and get 503.
LOGIN_CONNECTIONS: Final = 16
PASSWORD: Final = "correct horse battery staple"
COSTS: Final = load_settings(environment={}).passwords
UNLIMITED: Final = {
    f"JETON_LIMITS__{name}": "0" for name in ("LOGINS_PER_ACCOUNT", "LOGIN_FAILURES_PER_ADDRESS", "SESSIONS_PER_USER")
}


@dataclass(frozen=True, slots=True)
class SignIn:
    """Logins and bare hashes a second, and the 99th percentile of refreshes in milliseconds.

    `library_hashes` are those of the library by itself, which allocates memory in pages of 4 KiB.
    """

    logins: float
    hashes: float
    library_hashes: float
    idle_p99_ms: float
    meanwhile_p99_ms: float


def hashes_per_second(compute: Callable[[], object]) -> float:
    """Return the rate of bare hashes with all cores busy."""
    cores = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        return sum(pool.map(_rate_of, [compute] * cores, chunksize=1))


def _rate_of(compute: Callable[[], object]) -> float:
    began, count = time.monotonic(), 0
    while time.monotonic() - began < HASH_SECONDS:
        compute()
        count += 1
    return count / (time.monotonic() - began)


def hash_by_server() -> object:
    costs = Parameters(Type.ID, ARGON2_VERSION, 16, 32, COSTS.iterations, COSTS.memory_kib, COSTS.lanes)
    return compute_argon2_hash(PASSWORD.encode(), costs)


def hash_by_library() -> object:
    return hash_secret_raw(
        PASSWORD.encode(), b"s" * 16, COSTS.iterations, COSTS.memory_kib, COSTS.lanes, hash_len=32, type=Type.ID
    )


def refreshing(measured: Measured, file: str) -> list[str]:
    """Return the command of wrk that refreshes 50 times a second on 8 connections."""
    options = ["-t2", "-c8", f"-d{SECONDS}s", "--latency", "-s", str(HERE / "refresh.lua"), measured.url]
    return ["wrk", *options, "--", file, "2", measured.authorization, "160"]


def measure_sign_in() -> SignIn:
    costs = {"JETON_PASSWORDS__MEMORY_KIB": str(COSTS.memory_kib)}
    with tempfile.TemporaryDirectory() as name, measured_server("postgresql", Path(name), **UNLIMITED, **costs) as it:
        users = it.add_users(USERS, PASSWORD, Passwords(COSTS.memory_kib, COSTS.iterations, COSTS.lanes))
        password = PASSWORD.replace(" ", "+")
        logins = Path(name) / "logins"
        logins.write_text("".join(f"grant_type=password&username={user}&password={password}\n" for user in users))
        files = [Path(name) / "idle", Path(name) / "meanwhile"]
        for file in files:
            file.write_text("\n".join(it.add_sessions(4096)) + "\n")
        idle = subprocess.run(refreshing(it, str(files[0])), check=True, capture_output=True, text=True).stdout
        before = hashes_per_second(hash_by_server)
        with subprocess.Popen(refreshing(it, str(files[1])), stdout=subprocess.PIPE, text=True) as refreshes:
            output = wrk(Requests("login", TOKEN_PATH).command(it, str(logins)), SECONDS, LOGIN_CONNECTIONS)
            meanwhile, _ = refreshes.communicate()
        return SignIn(
            float(word_after(output, "Requests/sec:")),
            statistics.mean([before, hashes_per_second(hash_by_server)]),
            hashes_per_second(hash_by_library),
            milliseconds(word_after(idle, " 99% ")),
            milliseconds(word_after(meanwhile, " 99% ")),
        )


if __name__ == "__main__":
    print(measure_sign_in())
