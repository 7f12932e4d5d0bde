"""Two nodes under load during three planned key rotations and a change of the algorithm.

Nine verifiers (verifiers.py) verify each issued access token: immediately, and again just before it expires. Times are
short, in the proportions of the defaults. Prints the counts; the exit status is 0 if no verification failed.
`make rotation` needs PostgreSQL and Node.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import jwt as pyjwt

from servers import migrate_database
from support.checkout import ROOT
from support.postgresql import postgresql_cluster
from support.refresh_load import CLIENT_ID, TIMEOUT_SECONDS, Load, Session, add_accounts
from support.server_processes import ServerProcess, server_process
from verifiers import Count, Facts, Verifiers, all_verifiers

ISSUER: Final = "http://127.0.0.1:8000"
SESSIONS: Final = 4
PAUSE_SECONDS: Final = 0.05
BEFORE_EXPIRY_SECONDS: Final = 2


@dataclass(frozen=True, slots=True)
class Times:
    """Settings of both nodes, and the cache time of verifiers that ignore `max-age`; in seconds."""

    rotate: int
    publish_ahead: int
    jwks_max_age: int
    access: int
    fixed: int

    def settings(self) -> dict[str, str]:
        return {
            "SERVER__ISSUER": ISSUER,
            "KEYS__ROTATE_SECONDS": str(self.rotate),
            "KEYS__PUBLISH_AHEAD_SECONDS": str(self.publish_ahead),
            "KEYS__JWKS_MAX_AGE_SECONDS": str(self.jwks_max_age),
            "TOKENS__ACCESS_SECONDS": str(self.access),
        }


LONG: Final = Times(rotate=20, publish_ahead=14, jwks_max_age=4, access=12, fixed=7)
SHORT: Final = Times(rotate=10, publish_ahead=9, jwks_max_age=2, access=6, fixed=4)


@dataclass(slots=True)
class Signed:
    """Count and times of the signatures of one key, in seconds of the run."""

    algorithm: str
    first: float
    last: float = 0
    by_node: dict[str, int] = field(default_factory=dict)


@dataclass
class Issuing(Load):
    """Sessions that refresh at both nodes in turn, and pass the access tokens to the verifiers."""

    verifiers: list[Verifiers] = field(default_factory=list)
    times: Times = LONG
    began: float = field(default_factory=time.monotonic)
    keys: dict[str, Signed] = field(default_factory=dict)

    async def refresh(self, session: Session, url: str | None = None) -> httpx2.Response:
        await asyncio.sleep(PAUSE_SECONDS)
        response = await super().refresh(session, url)
        if response.status_code == 200:
            self._note(response.json()["access_token"], url or self.urls[0])
        return response

    def _note(self, token: str, url: str) -> None:
        header, now = pyjwt.get_unverified_header(token), time.monotonic() - self.began
        key = self.keys.setdefault(header["kid"], Signed(header["alg"], now))
        key.last = now
        key.by_node[url] = key.by_node.get(url, 0) + 1
        self._show(token)
        asyncio.get_running_loop().call_later(self.times.access - BEFORE_EXPIRY_SECONDS, self._show, token)

    def _show(self, token: str) -> None:
        for verifier in self.verifiers:
            verifier.show(token)

    def signed_at_both_nodes(self, algorithm: str) -> int:
        """Return how many keys of this algorithm have signed at either node."""
        return sum(len(it.by_node) == len(self.urls) for it in self.keys.values() if it.algorithm == algorithm)


async def keep_on(load: Issuing, nodes: list[ServerProcess]) -> None:
    """Run until the first key and three successors have signed, then change the algorithm."""
    patience = 5 * load.times.rotate + 30
    async with load.running():
        await load.until(lambda: load.signed_at_both_nodes("RS256") >= 4, "three planned rotations", patience)
        say(load, "three planned rotations are done; now the nodes are restarted with ES256")
        for node in nodes:
            await asyncio.to_thread(restart, node, KEYS__ALGORITHM="ES256")
        await load.until(lambda: load.signed_at_both_nodes("ES256") >= 1, "the other algorithm signs", patience)
        say(load, "ES256 signs at both nodes; the last tokens of RS256 live on")
        await load.until(after(load.times.access), "the last token of RS256 expired", patience)
    await asyncio.sleep(load.times.access)


def restart(node: ServerProcess, **variables: str) -> None:
    """Restart a node with other settings, after SIGTERM, like a service manager."""
    assert node.process is not None
    node.process.terminate()
    node.wait()
    node.environment = {**node.environment, **{f"JETON_{name}": value for name, value in variables.items()}}
    node.start()


def after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def say(load: Issuing, what: str) -> None:
    print(f"{time.monotonic() - load.began:6.1f} s  {what}", flush=True)


async def run(times: Times) -> tuple[Issuing, list[Count]]:
    with ExitStack() as stack:
        database_url = stack.enter_context(postgresql_cluster())
        migrate_database(database_url)
        secret = add_accounts(database_url)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jeton-rotation-")))
        nodes = [
            stack.enter_context(server_process(folder, database_url, begin_only=False, **times.settings()))
            for _ in range(2)
        ]
        urls = [node.url for node in nodes]
        facts = Facts(ISSUER, urls, times.fixed)
        verifiers = stack.enter_context(all_verifiers(facts, ROOT / ".pytest_cache" / "d" / "javascript"))
        async with httpx2.AsyncClient(auth=(CLIENT_ID, secret), timeout=TIMEOUT_SECONDS, trust_env=False) as http:
            load = Issuing(http, urls, verifiers=verifiers, times=times)
            await load.log_in(SESSIONS)
            await keep_on(load, nodes)
        return load, [count for verifier in verifiers for count in verifier.counts()]


def print_table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    lines = [tuple(str(cell) for cell in row) for row in (columns, *rows)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    print()
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def report(load: Issuing, counts: list[Count]) -> bool:
    """Print the counts. Return whether no verification failed."""
    print_table(
        ("key", "algorithm", "first signed", "last signed", *(f"at node {n + 1}" for n in range(len(load.urls)))),
        [
            (
                kid[:12],
                it.algorithm,
                f"{it.first:.1f} s",
                f"{it.last:.1f} s",
                *(it.by_node.get(u, 0) for u in load.urls),
            )
            for kid, it in load.keys.items()
        ],
    )
    print_table(
        ("verifier", "verified", "failed", "expired before its turn", "key sets fetched"),
        [(it.name, it.verified, len(it.failures), it.too_late, it.fetched) for it in counts],
    )
    failures = [f"{it.name}: {failure}" for it in counts for failure in it.failures]
    issued = sum(sum(it.by_node.values()) for it in load.keys.values())
    print(f"\n{issued} tokens issued, {sum(it.verified for it in counts)} verifications, {len(failures)} failed")
    print("\n".join(failures[:20]))
    # A verifier with too few verifications proves nothing.
    return not failures and all(it.verified > issued and it.too_late < issued / 10 for it in counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="half the times")
    load, counts = asyncio.run(run(SHORT if parser.parse_args().short else LONG))
    sys.exit(0 if report(load, counts) else 1)


if __name__ == "__main__":
    main()
