"""Benchmark: processor time of a request, in server and database, as a ratio to that of a bare RS256 signature.

`make bench` needs wrk (Debian: apt-get install wrk). Ratios are taken within one run, against signatures made right
before and after each window; absolute times of a shared machine say little.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import processor_time
from servers import WORKERS, Measured, measured_server

CONNECTIONS = 32
THREADS = 2
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Window:
    """One period of load. Processor times are in seconds per request.

    `balance` is the load of the least busy worker as a share of an equal one.
    """

    requests: int
    rate: float
    server: float
    database: float
    signature: float
    balance: float
    p50: str
    p99: str

    @property
    def ratio(self) -> float:
        return (self.server + self.database) / self.signature


def window(measured: Measured, script: str, tokens: list[str], seconds: int) -> Window:
    """Put load on one endpoint. Raise SystemExit if a response was not a success."""
    before_signature = processor_time.of_signature()
    workers = processor_time.descendants(measured.pid)
    database = [measured.database_pid] if measured.database_pid else []
    with tempfile.NamedTemporaryFile("w", suffix=".tokens") as file:
        file.write("\n".join(tokens) + "\n")
        file.flush()
        before = [processor_time.of_process(pid) for pid in workers]
        before_database = sum(processor_time.of_tree(pid) for pid in database)
        output = _wrk(measured, script, file.name, seconds)
        after_database = sum(processor_time.of_tree(pid) for pid in database)
        busy = [processor_time.of_process(pid) - was for pid, was in zip(workers, before, strict=True)]
    signature = statistics.mean([before_signature, processor_time.of_signature()])
    serving = sorted(busy)[-WORKERS:]
    requests = int(_before(output, " requests in"))
    return Window(
        requests,
        float(_after(output, "Requests/sec:")),
        sum(busy) / requests,
        (after_database - before_database) / requests,
        signature,
        min(serving) / (sum(serving) / WORKERS),
        _after(output, " 50% "),
        _after(output, " 99% "),
    )


def _wrk(measured: Measured, script: str, file: str, seconds: int) -> str:
    command = ["wrk", f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(HERE / script)]
    arguments = [measured.url, "--", file, str(THREADS), measured.authorization]
    output = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(f"a response was not a success:\n{output}")
    return output


def _before(text: str, end: str) -> str:
    """Return the word before `end`."""
    return text[: text.index(end)].rsplit(maxsplit=1)[-1]


def _after(text: str, begin: str) -> str:
    """Return the word after `begin`."""
    return text[text.index(begin) + len(begin) :].split(maxsplit=1)[0]


def access_tokens(measured: Measured, refresh_tokens: list[str]) -> list[str]:
    """Return live access tokens, from one refresh each."""
    found = []
    for token in refresh_tokens:
        form = urllib.parse.urlencode({"grant_type": "refresh_token", "refresh_token": token}).encode()
        request = urllib.request.Request(f"{measured.url}/oauth/token", form, {"Authorization": measured.authorization})
        with urllib.request.urlopen(request, timeout=10) as response:
            found.append(json.load(response)["access_token"])
    return found


def measure(kind: str, sessions: int, seconds: int, rounds: int) -> dict[str, list[Window]]:
    """Measure refreshes and introspections with few sessions, then with more and more, on one running server.

    At first there are so few that reading the whole table is a good plan, which must not be kept when the table grows.
    """
    with tempfile.TemporaryDirectory() as folder, measured_server(kind, Path(folder)) as measured:
        results: dict[str, list[Window]] = {}
        for more in (256, 16_384, sessions):
            if not more:
                continue
            started = time.monotonic()
            tokens = measured.add_sessions(more)
            print(f"{kind}: {more} sessions added in {time.monotonic() - started:.0f} s", file=sys.stderr)
            introspected = access_tokens(measured, tokens[:64])
            tokens, label = tokens[64:], f"{more:>9,} sessions"
            for number in range(rounds):
                share = tokens[number::rounds]
                results.setdefault(f"refresh, {label}", []).append(window(measured, "refresh.lua", share, seconds))
                results.setdefault(f"introspect, {label}", []).append(
                    window(measured, "introspect.lua", introspected, seconds)
                )
        return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000, help="the last, large number of sessions; 0: none")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: install it (Debian: apt-get install wrk)")
    print(
        f"{os.cpu_count()} cores, {WORKERS} workers, {CONNECTIONS} connections, {options.rounds} x {options.seconds} s"
    )
    print("ratio: processor time per request, server and database, over that of one RS256 signature (2048 bits)\n")
    header = ("ratio", "min-max", "server", "database", "signature", "req/s", "p50", "p99", "balance")
    print(f"{'':44}" + "".join(f"{title:>12}" for title in header))
    for kind in options.database or ["sqlite", "postgresql"]:
        for label, windows in measure(kind, options.sessions, options.seconds, options.rounds).items():
            print(f"{kind + ': ' + label:44}" + "".join(f"{cell:>12}" for cell in _row(windows)))


def _row(windows: list[Window]) -> list[str]:
    """Medians over the rounds; processor times in milliseconds."""
    ratios = [it.ratio for it in windows]
    middle = sorted(windows, key=lambda it: it.ratio)[len(windows) // 2]
    return [
        f"{statistics.median(ratios):.2f}",
        f"{min(ratios):.2f}-{max(ratios):.2f}",
        *(f"{1000 * value:.3f}" for value in (middle.server, middle.database, middle.signature)),
        f"{statistics.median(it.rate for it in windows):.0f}",
        middle.p50,
        middle.p99,
        f"{min(it.balance for it in windows):.2f}",
    ]


if __name__ == "__main__":
    main()
