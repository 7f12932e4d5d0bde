"""Load by wrk: requests of one kind for some seconds, and what each of them cost."""

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import processor_time
from processor_time import Measure
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
    """One period of load. Processor times are in seconds per request: of event loops, of their other threads, of the
    database, and of a bare RS256 signature.

    `balance` is the load of the least busy worker as a share of an equal one.
    """

    rate: float
    loop: float
    threads: float
    database: float
    signature: float
    balance: float
    p50_ms: float
    p99_ms: float

    @property
    def ratio(self) -> float:
        """Processor time of a request, server and database, in bare signatures."""
        return (self.loop + self.threads + self.database) / self.signature

    @property
    def share(self) -> float:
        """The rate, as a share of what all cores could sign if they did nothing else."""
        return self.rate * self.signature / (os.cpu_count() or 1)


def windows(measured: Measured, load: Sequence[Requests], seconds: int, signature: Measure) -> list[Window]:
    """Put each load on the server, one after the other, with a measured signature before and after each."""
    found, before = [], signature()
    for requests in load:
        window = put_load(measured, requests, seconds)
        after = signature()
        found.append(replace(window, signature=(before + after) / 2))
        before = after
    return found


def put_load(measured: Measured, requests: Requests, seconds: int) -> Window:
    """Put load on the server, and return what it cost; the signature is not measured.

    Raise SystemExit if a response was not a success.
    """
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
        before = _Used.by(measured)
        output = wrk(requests.command(measured, file.name, proof_file.name), seconds)
        used = _Used.by(measured).since(before)
    busy = sorted(used.processes.values())[-WORKERS:]
    count = int(word_before(output, " requests in"))
    loop = sum(used.loops.values())
    return Window(
        float(word_after(output, "Requests/sec:")),
        loop / count,
        (sum(used.processes.values()) - loop) / count,
        used.database / count,
        0,
        min(busy) / (sum(busy) / len(busy)),
        milliseconds(word_after(output, " 50% ")),
        milliseconds(word_after(output, " 99% ")),
    )


@dataclass(frozen=True, slots=True)
class _Used:
    """Processor time in seconds, of server processes and their event loops by process id, and of the database."""

    processes: dict[int, float]
    loops: dict[int, float]
    database: float

    @staticmethod
    def by(measured: Measured) -> "_Used":
        pids = processor_time.descendants(measured.pid) or [measured.pid]
        return _Used(
            {pid: processor_time.of_process(pid) for pid in pids},
            {pid: processor_time.of_main_thread(pid) for pid in pids},
            processor_time.of_tree(measured.database_pid) if measured.database_pid else 0,
        )

    def since(self, before: "_Used") -> "_Used":
        return _Used(
            {pid: used - before.processes[pid] for pid, used in self.processes.items()},
            {pid: used - before.loops[pid] for pid, used in self.loops.items()},
            self.database - before.database,
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
