"""Logins with the default password hash, and the latency of refreshes meanwhile.

`PYTHONPATH=tests python benchmarks/sign_in.py`. The rate of logins is a share of the rate at which all cores could
compute the hashes if they did nothing else.
"""

import os
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

from argon2.low_level import Type, hash_secret_raw

from jeton.config import load_settings
from jeton.oauth.metadata import TOKEN_PATH
from load import HERE, Requests, word_after, wrk
from servers import Measured, measured_server

SECONDS = 8
USERS = 64
PASSWORD = "correct horse battery staple"
COSTS = load_settings(environment={}).passwords
UNLIMITED = {
    f"JETON_LIMITS__{name}": "0" for name in ("LOGINS_PER_ACCOUNT", "LOGIN_FAILURES_PER_ADDRESS", "SESSIONS_PER_USER")
}
JETON = str(Path(sys.executable).with_name("jeton"))


def hashes_per_second(seconds: float = 3) -> float:
    """Return the rate of bare hashes with all cores busy."""
    cores = os.cpu_count() or 1
    with get_context("spawn").Pool(cores) as pool:
        return sum(pool.map(_hash, [seconds] * cores))


def _hash(seconds: float) -> float:
    began, count = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        hash_secret_raw(
            PASSWORD.encode(), b"s" * 16, COSTS.iterations, COSTS.memory_kib, COSTS.lanes, hash_len=32, type=Type.ID
        )
        count += 1
    return count / (time.monotonic() - began)


def refreshing(measured: Measured, file: str) -> list[str]:
    """Return the command of wrk that refreshes 50 times a second on 8 connections."""
    options = ["-t2", "-c8", f"-d{SECONDS}s", "--latency", "-s", str(HERE / "refresh.lua"), measured.url]
    return ["wrk", *options, "--", file, "2", measured.authorization, "160"]


def main() -> None:
    costs = {"JETON_PASSWORDS__MEMORY_KIB": str(COSTS.memory_kib)}
    with tempfile.TemporaryDirectory() as name, measured_server("postgresql", Path(name), **UNLIMITED, **costs) as it:
        environment = {**os.environ, "JETON_DATABASE__URL": it.database_url, "JETON_SECRETS__MASTER_KEY": it.master_key}
        for number in range(USERS):
            command = [JETON, "user", "add", f"user{number}", "--password-stdin"]
            subprocess.run(command, input=PASSWORD.encode(), env=environment, check=True, capture_output=True)
        tokens, logins = Path(name) / "tokens", Path(name) / "logins"
        tokens.write_text("\n".join(it.add_sessions(4096)) + "\n", encoding="ascii")
        password = PASSWORD.replace(" ", "+")
        logins.write_text(
            "".join(f"grant_type=password&username=user{n}&password={password}\n" for n in range(USERS)),
            encoding="ascii",
        )
        idle = subprocess.run(refreshing(it, str(tokens)), check=True, capture_output=True, text=True).stdout
        tokens.write_text("\n".join(it.add_sessions(4096)) + "\n", encoding="ascii")
        limit = hashes_per_second()
        with subprocess.Popen(refreshing(it, str(tokens)), stdout=subprocess.PIPE, text=True) as meanwhile:
            # More would find the queue in front of the hashes full, and get 503.
            output = wrk(Requests("login", TOKEN_PATH).command(it, str(logins)), SECONDS, connections=16)
            busy, _ = meanwhile.communicate()
        rate = float(word_after(output, "Requests/sec:"))
    print(f"{rate:.1f} logins a second with {COSTS.memory_kib} KiB, {100 * rate / limit:.0f} % of {limit:.1f} hashes")
    print(f"p99 of 50 refreshes a second: {word_after(idle, ' 99% ')} idle, {word_after(busy, ' 99% ')} meanwhile")


if __name__ == "__main__":
    main()
