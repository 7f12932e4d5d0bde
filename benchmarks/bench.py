"""Benchmark: processor time of a request, in server and database, as a ratio to that of a bare RS256 signature.

`make bench` needs wrk (Debian: apt-get install wrk). Ratios are taken within one run, against signatures made right
before and after each window; absolute times of a shared machine say little.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from jeton.oauth.metadata import INTROSPECTION_PATH, JWKS_PATH, METADATA_PATH, REVOCATION_PATH, TOKEN_PATH
from load import CONNECTIONS, Requests, Window, window
from servers import WORKERS, Measured, measured_server

# An OpenSSL without AVX-512 IFMA (bit 21 of the extended features), as on a processor that has none.
WITHOUT_IFMA = ":~0x200000"
# More than can be revoked in the windows: a token that is revoked already would cost less.
_REVOCABLE_PER_SECOND = 8_000
_COLUMNS = ("share", "ratio", "min-max", "server", "database", "signature", "req/s", "p50", "p99", "balance")


def access_tokens(measured: Measured, refresh_tokens: Sequence[str]) -> list[str]:
    """Return live access tokens, from one refresh each."""
    found = []
    for token in refresh_tokens:
        form = urllib.parse.urlencode({"grant_type": "refresh_token", "refresh_token": token}).encode()
        request = urllib.request.Request(measured.url + TOKEN_PATH, form, {"Authorization": measured.authorization})
        with urllib.request.urlopen(request, timeout=10) as response:
            found.append(json.load(response)["access_token"])
    return found


def growing(measured: Measured, counts: Sequence[int], rounds: int) -> Iterator[tuple[str, list[Requests]]]:
    """Yield refreshes and introspections with few sessions, then with more and more, on one running server.

    At first there are so few that reading the whole table is a good plan, which must not be kept when the table grows.
    """
    for count in counts:
        tokens = measured.add_sessions(count)
        introspected = [f"token={it}" for it in access_tokens(measured, tokens[:32])]
        plain, bound = tokens[32::2], tokens[33::2]
        for name, dpop, used in (("refresh", False, plain), ("refresh with DPoP", True, bound)):
            windows = [Requests("refresh", TOKEN_PATH, used[at::rounds], dpop=dpop) for at in range(rounds)]
            yield f"{name}, {count:,} sessions", windows
        yield f"introspect, {count:,} sessions", [Requests("introspect", INTROSPECTION_PATH, introspected)] * rounds


def other_endpoints(measured: Measured, seconds: int, rounds: int) -> Iterator[tuple[str, list[Requests]]]:
    count = _REVOCABLE_PER_SECOND * seconds * rounds
    revocable = [f"token={it}" for it in measured.add_sessions(count, tokens=count)]
    yield "revoke", [Requests("revoke", REVOCATION_PATH, revocable[number::rounds]) for number in range(rounds)]
    yield (
        "client_credentials",
        [Requests("client_credentials", TOKEN_PATH, ["grant_type=client_credentials"])] * rounds,
    )
    yield "key set", [Requests("key set", JWKS_PATH, method="GET")] * rounds
    yield "metadata", [Requests("metadata", METADATA_PATH, method="GET")] * rounds


def measure(kind: str, variables: dict[str, str], options: argparse.Namespace, *, whole: bool) -> None:
    """Print a row for each kind of request. Only the `whole` measurement has more than refreshes."""
    label = (
        f"{kind}, " + variables.get("JETON_KEYS__ALGORITHM", "RS256") + (", no IFMA" if options.without_ifma else "")
    )
    counts = [count for count in (256, 16_384, options.sessions) if count] if whole else [4096]
    with tempfile.TemporaryDirectory() as folder, measured_server(kind, Path(folder), **variables) as measured:
        started = time.monotonic()
        print(f"{label}: started", file=sys.stderr)
        for name, windows in growing(measured, counts, options.rounds):
            show(f"{label}: {name}", [window(measured, it, options.seconds) for it in windows])
        if whole:
            for name, windows in other_endpoints(measured, options.seconds, options.rounds):
                show(f"{label}: {name}", [window(measured, it, options.seconds) for it in windows])
        print(f"{label}: {time.monotonic() - started:.0f} s", file=sys.stderr)


def show(label: str, windows: Sequence[Window]) -> None:
    """Print medians over the windows; processor times in milliseconds."""
    ratios = [it.ratio for it in windows]
    middle = sorted(windows, key=lambda it: it.ratio)[len(windows) // 2]
    cells = (
        f"{100 * statistics.median(it.share for it in windows):.0f} %",
        f"{statistics.median(ratios):.2f}",
        f"{min(ratios):.2f}-{max(ratios):.2f}",
        *(f"{1000 * value:.3f}" for value in (middle.server, middle.database, middle.signature)),
        f"{statistics.median(it.rate for it in windows):.0f}",
        middle.p50,
        middle.p99,
        f"{min(it.balance for it in windows):.2f}",
    )
    print(f"{label:52}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000, help="the last, large number of sessions; 0: none")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--without-ifma", action="store_true", help="switch AVX-512 IFMA off in OpenSSL")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: install it (Debian: apt-get install wrk)")
    if options.without_ifma:
        os.environ["OPENSSL_ia32cap"] = WITHOUT_IFMA  # noqa: SIM112 - its name
    print(
        f"{os.cpu_count()} cores, {WORKERS} workers, {CONNECTIONS} connections, {options.rounds} x {options.seconds} s"
    )
    print("ratio: processor time per request, server and database, over that of one RS256 signature (2048 bits)")
    print("share: of the rate at which all cores could sign with RS256 if they did nothing else\n")
    print(f"{'':52}" + "".join(f"{title:>12}" for title in _COLUMNS))
    for kind in options.database or ["sqlite", "postgresql"]:
        measure(kind, {}, options, whole=True)
        measure(kind, {"JETON_KEYS__ALGORITHM": "ES256"}, options, whole=False)


if __name__ == "__main__":
    main()
