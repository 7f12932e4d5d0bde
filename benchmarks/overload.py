"""Ten times overload: how many requests succeed, compared with as many clients as the server can serve.

Two workers on SQLite. Refreshes, and logins with the default password hash, by 10 times as many connections as saturate
the server; those that are refused with 503 come again at once. The exit status is 0 if at least 90 % of the capacity
succeed. `PYTHONPATH=tests python benchmarks/overload.py` needs wrk.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Final
from urllib.parse import quote_plus

from jeton.config.loading import load_settings
from load import HERE, THREADS, word_after, word_before
from servers import Measured, measured_server

PASSWORD: Final = "correct horse battery staple"
TIMES: Final = 10
ROUNDS: Final = 3
GOAL: Final = 0.9
# With this number of connections, all processors are busy.
CONNECTIONS: Final = {"refresh": 32, "login": 8}


@dataclass(frozen=True, slots=True)
class Result:
    """Of one run of wrk: successes per second, refusals per second, 99th percentile of the latency."""

    succeeded: float
    refused: float
    p99: str


def run(measured: Measured, kind: str, lines: list[str], connections: int, seconds: int) -> Result:
    with tempfile.NamedTemporaryFile("w", suffix=".lines") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        script = {"refresh": ["refresh.lua", "0"], "login": ["requests.lua", "POST", "/oauth/token"]}[kind]
        options = [f"-t{THREADS}", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
        command = ["wrk", *options, "-s", str(HERE / script[0]), measured.url, "--", file.name, str(THREADS)]
        command += [measured.authorization, *script[1:]]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    count, took = int(word_before(output, " requests in")), float(word_after(output, " requests in ").rstrip("s,"))
    refused = int(word_after(output, "Non-2xx or 3xx responses:")) if "Non-2xx" in output else 0
    return Result((count - refused) / took, refused / took, word_after(output, " 99% "))


def measure(measured: Measured, kind: str, lines: Callable[[], list[str]], seconds: int) -> bool:
    """Print the figures. Return whether the goal is met. `lines` are new for each run: tokens are used once.

    Capacity and overload are measured in turn, so that what else the machine does concerns both.
    """
    few, many = CONNECTIONS[kind], TIMES * CONNECTIONS[kind]
    rounds = [[run(measured, kind, lines(), it, seconds) for it in (few, many)] for _ in range(ROUNDS)]
    capacity, goodput = (mean(results[it].succeeded for results in rounds) for it in (0, 1))
    refused, share = mean(results[1].refused for results in rounds), goodput / capacity
    print(f"{kind}: {capacity:.1f}/s on {few} connections, {goodput:.1f}/s on {many}", end=" ")
    print(f"(and {refused:.1f}/s refused; p99 {rounds[-1][1].p99}):", end=" ")
    print(f"{100 * share:.0f} % (goal: {100 * GOAL:.0f} %)", flush=True)
    return share >= GOAL


def add_user(measured: Measured) -> str:
    """Add a user, and return the form of a login."""
    environment = {
        **os.environ,
        "JETON_DATABASE__URL": measured.database_url,
        "JETON_SECRETS__MASTER_KEY": measured.master_key,
    }
    command = [str(Path(sys.executable).with_name("jeton")), "user", "add", "alice", "--password-stdin"]
    subprocess.run(command, env=environment, input=PASSWORD, text=True, check=True, capture_output=True)
    return f"grant_type=password&username=alice&password={quote_plus(PASSWORD)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10)
    seconds = parser.parse_args().seconds
    costs, limits = load_settings(environment={}).passwords, ("LOGINS_PER_ACCOUNT", "SESSIONS_PER_USER")
    variables = {f"JETON_LIMITS__{it}": "0" for it in limits} | {"JETON_PASSWORDS__MEMORY_KIB": str(costs.memory_kib)}
    with (
        tempfile.TemporaryDirectory(prefix="jeton-overload-") as folder,
        measured_server("sqlite", Path(folder), **variables) as measured,
    ):
        logins = [add_user(measured)] * THREADS
        met = [
            measure(measured, "refresh", lambda: measured.add_sessions(4096), seconds),
            measure(measured, "login", lambda: logins, seconds),
        ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
