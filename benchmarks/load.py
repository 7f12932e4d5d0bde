"""Load by wrk: requests of one kind for some seconds, and what each of them cost."""

import os
import re
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import processor_time
from proofs import proofs
from servers import WORKERS, Measured

CONNECTIONS = 32
THREADS = 2
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of one kind. `lines` are the bodies, sent in turn; of refreshes, the refresh tokens to begin with.

    With `dpop`, each refresh has a DPoP proof of its own.
    """

    name: str
    path: str
    lines: list[str] = field(default_factory=lambda: ["-"])
    method: str = "POST"
    dpop: bool = False

    def command(self, measured: Measured, file: str, proof_file: str = "") -> list[str]:
        """Return script, URL and arguments."""
        shared = [measured.url, "--", file, str(THREADS), measured.authorization]
        if self.name == "refresh":
            return [str(HERE / "refresh.lua"), *shared, "0", *([proof_file] if self.dpop else [])]
        return [str(HERE / "requests.lua"), *shared, self.method, self.path]


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
        """Processor time of a request, server and database, in bare signatures."""
        return (self.server + self.database) / self.signature

    @property
    def share(self) -> float:
        """The rate, as a share of what all cores could sign if they did nothing else."""
        return self.rate * self.signature / (os.cpu_count() or 1)


def window(measured: Measured, requests: Requests, seconds: int) -> Window:
    """Put load on one endpoint. Raise SystemExit if a response was not a success."""
    before_signature = processor_time.of_signature()
    processes = processor_time.descendants(measured.pid)
    database = [measured.database_pid] if measured.database_pid else []
    with (
        tempfile.NamedTemporaryFile("w", suffix=".lines") as file,
        tempfile.NamedTemporaryFile("w", suffix=".proofs") as proof_file,
    ):
        # Each thread of wrk takes every second line.
        file.write("\n".join(requests.lines * (1 if len(requests.lines) > 1 else THREADS)) + "\n")
        file.flush()
        if requests.dpop:
            proof_file.write("\n".join(proofs(measured.url + requests.path, seconds)) + "\n")
            proof_file.flush()
        before = [processor_time.of_process(pid) for pid in processes]
        before_database = sum(processor_time.of_tree(pid) for pid in database)
        output = wrk(requests.command(measured, file.name, proof_file.name), seconds)
        after_database = sum(processor_time.of_tree(pid) for pid in database)
        busy = [processor_time.of_process(pid) - was for pid, was in zip(processes, before, strict=True)]
    signature = statistics.mean([before_signature, processor_time.of_signature()])
    serving = sorted(busy)[-WORKERS:]
    count = int(word_before(output, " requests in"))
    return Window(
        count,
        float(word_after(output, "Requests/sec:")),
        sum(busy) / count,
        (after_database - before_database) / count,
        signature,
        min(serving) / (sum(serving) / WORKERS),
        word_after(output, " 50% "),
        word_after(output, " 99% "),
    )


def refresh(measured: Measured, tokens: Sequence[str], seconds: int) -> tuple[float, float]:
    """Refresh these sessions at full load. Return refreshes per second, and the 99th percentile in milliseconds.

    Raise SystemExit if a response was not a success.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".lines") as file:
        file.write("\n".join(tokens) + "\n")
        file.flush()
        output = wrk(Requests("refresh", "").command(measured, file.name), seconds)
    return float(word_after(output, "Requests/sec:")), milliseconds(word_after(output, " 99% "))


def milliseconds(text: str) -> float:
    """Return a time that wrk has printed, as 980.00us, 12.30ms or 1.20s."""
    number, unit = re.fullmatch(r"([0-9.]+)([a-z]+)", text).groups()  # type: ignore[union-attr]  # wrk's own format
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]


def wrk(command: Sequence[str], seconds: int, connections: int = CONNECTIONS) -> str:
    """Return the output of wrk. Raise SystemExit if a response was not a success."""
    script, url, *arguments = command
    options = [f"-t{THREADS}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-s", script]
    output = subprocess.run(["wrk", *options, url, *arguments], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(f"a response was not a success:\n{output}")
    return output


def word_before(text: str, end: str) -> str:
    """Return the word before `end`."""
    return text[: text.index(end)].rsplit(maxsplit=1)[-1]


def word_after(text: str, begin: str) -> str:
    """Return the word after `begin`."""
    return text[text.index(begin) + len(begin) :].split(maxsplit=1)[0]
