"""Measures the server, writes docs/performance/results.json, and renders docs/performance.md from it.

`make bench` needs wrk and PostgreSQL (Debian: apt-get install wrk postgresql), and takes a quarter of an hour. Audit
trail and metrics are on, as they are by default.
"""

import argparse
import asyncio
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from empty_application import measure_http
from footprint import measure_memory, measure_start
from installation import installed_jeton
from jeton.oauth.metadata import INTROSPECTION_PATH, JWKS_PATH, METADATA_PATH, REVOCATION_PATH, TOKEN_PATH
from load import Requests, windows
from performance_document import write_document
from processor_time import Measure, signatures
from results import Machine, Rate, Results, Signature, save_results, summarize
from servers import Measured, measured_server
from sign_in import SignIn, measure_sign_in
from status_list import measure_status_list
from verification import measure_verification

DATABASES: Final = ("sqlite", "postgresql")
# At first there are so few sessions that reading the whole table is a good plan, which must not be kept when it grows.
GROWTH: Final = (256, 16_384, 131_072, 1_000_000)
USUAL: Final = 16_384
_IN_USE: Final = 4096
# More than can be revoked in the windows: a token that is revoked already would cost less.
_REVOCABLE_PER_SECOND: Final = 8_000
# An OpenSSL without AVX-512 IFMA (bit 21 of the extended features), as on a processor that has none.
_IFMA_OFF: Final = {"OPENSSL_ia32cap": ":~0x200000"}
_ENVIRONMENT: Final[dict[Signature, dict[str, str]]] = {
    "RS256": {},
    "RS256 without IFMA": _IFMA_OFF,
    "ES256": {"JETON_KEYS__ALGORITHM": "ES256"},
}

Loads = Iterator[tuple[str, list[Requests]]]


@dataclass(frozen=True, slots=True)
class Bench:
    """Rounds and seconds of each window."""

    rounds: int
    seconds: int

    def measure(self, database: str, signature: Signature) -> Iterator[Rate]:
        """Measure one server: while its sessions become more, and with RS256 its other endpoints too."""
        with (
            environment(_ENVIRONMENT[signature]),
            tempfile.TemporaryDirectory() as folder,
            signatures() as of_signature,
            measured_server(database, Path(folder)) as measured,
        ):
            present = 0
            for sessions in GROWTH if signature == "RS256" else (USUAL,):
                loads = self._with_sessions(measured, add_sessions(measured, sessions - present), sessions)
                yield from self._rates(database, signature, sessions, measured, loads, of_signature)
                present = sessions
            if signature == "RS256":
                yield from self._rates(database, signature, present, measured, self._others(measured), of_signature)

    def _rates(
        self,
        database: str,
        signature: Signature,
        sessions: int,
        measured: Measured,
        loads: Loads,
        of_signature: Measure,
    ) -> Iterator[Rate]:
        for operation, requests in loads:
            found = windows(measured, requests, self.seconds, of_signature)
            rate = summarize(database, signature, operation, sessions, found)
            say(f"{database}, {signature}, {operation} ({sessions:,}): {rate.per_second:.0f}/s, {rate.share:.0%}")
            yield rate

    def _with_sessions(self, measured: Measured, tokens: list[str], sessions: int) -> Loads:
        introspected = [f"token={it}" for it in access_tokens(measured, tokens[:32])]
        plain, bound = tokens[32::2], tokens[33::2]
        yield "refresh", [Requests("refresh", TOKEN_PATH, plain[at :: self.rounds]) for at in range(self.rounds)]
        yield "introspection", [Requests("introspection", INTROSPECTION_PATH, introspected)] * self.rounds
        if sessions == USUAL:
            proven = [Requests("refresh", TOKEN_PATH, bound[at :: self.rounds], dpop=True) for at in range(self.rounds)]
            yield "refresh with DPoP", proven

    def _others(self, measured: Measured) -> Loads:
        count = _REVOCABLE_PER_SECOND * self.seconds * self.rounds
        revocable = [f"token={it}" for it in measured.add_sessions(count, tokens=count)]
        yield (
            "revocation",
            [Requests("revoke", REVOCATION_PATH, revocable[at :: self.rounds]) for at in range(self.rounds)],
        )
        credentials = Requests("client_credentials", TOKEN_PATH, ["grant_type=client_credentials"])
        yield "client_credentials", [credentials] * self.rounds
        yield "key set", [Requests("key set", JWKS_PATH, method="GET")] * self.rounds
        yield "metadata", [Requests("metadata", METADATA_PATH, method="GET")] * self.rounds


def add_sessions(measured: Measured, count: int) -> list[str]:
    """Add sessions while the server runs. Return the refresh tokens of those that will be used."""
    tokens = measured.add_sessions(min(count, _IN_USE))
    measured.add_other_sessions(count - len(tokens))
    return tokens


def access_tokens(measured: Measured, refresh_tokens: Sequence[str]) -> list[str]:
    """Return live access tokens, from one refresh each."""
    found = []
    for token in refresh_tokens:
        form = urllib.parse.urlencode({"grant_type": "refresh_token", "refresh_token": token}).encode()
        request = urllib.request.Request(measured.url + TOKEN_PATH, form, {"Authorization": measured.authorization})
        with urllib.request.urlopen(request, timeout=10) as response:
            found.append(msgspec.json.decode(response.read())["access_token"])
    return found


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables for the processes that are started within."""
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]


def sign_in_unless_too_busy() -> SignIn | None:
    """Measure logins. A login that the server refuses does not discard everything else that was measured."""
    try:
        return measure_sign_in()
    except SystemExit as refused:
        say(f"{refused}")
        return None


def machine(rounds: int, seconds: int, began: float) -> Machine:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    commit = subprocess.run(["git", "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=False)
    return Machine(
        date=datetime.now(UTC).date().isoformat(),
        processor=facts.get("model name", platform.machine()),
        cores=os.cpu_count() or 1,
        ifma="avx512ifma" in facts.get("flags", ""),
        python=platform.python_version(),
        commit=commit.stdout.strip(),
        rounds=rounds,
        seconds=seconds,
        minutes=round((time.monotonic() - began) / 60, 1),
    )


def say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each window of load")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: install it (Debian: apt-get install wrk)")
    began, bench = time.monotonic(), Bench(options.rounds, options.seconds)
    with installed_jeton() as jeton:
        starts = [measure_start(jeton, workers) for workers in (1, 2)]
        say(f"{starts}")
        memory = [measure_memory(jeton, it) for it in DATABASES]
    say(f"{memory}")
    kinds: list[Signature] = ["RS256", "ES256"]
    if machine(0, 0, began).ifma:
        kinds.append("RS256 without IFMA")
    rates = [rate for kind in kinds for database in DATABASES for rate in bench.measure(database, kind)]
    with signatures("ES256") as of_es256:
        es256 = of_es256()
    results = Results(
        rates=rates,
        http_us=round(1e6 * measure_http(), 1),
        es256_us=round(1e6 * es256, 1),
        starts=starts,
        memory=memory,
        sign_in=sign_in_unless_too_busy(),
        verification=measure_verification(),
        status_list=asyncio.run(measure_status_list()),
        machine=machine(options.rounds, options.seconds, began),
    )
    save_results(results)
    write_document(results)
    say(f"{results.machine.minutes} minutes")


if __name__ == "__main__":
    main()
