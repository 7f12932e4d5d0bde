"""Services that verify access tokens locally: three ways to cache the key set, in three libraries.

    honours   caches it for its `max-age`, and does not fetch earlier (RFC 9111 section 4.2)
    fixed     caches it for a fixed time, whatever the server says
    unknown   caches it without limit, and fetches it again only for an unknown `kid`

A token whose key is missing counts as a failure.
"""

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, Final, Protocol

import jwt as pyjwt
from joserfc import jwt as joserfc
from joserfc.jwk import KeySet

from support.node_packages import installed_packages, node_and_npm

KEEPING: Final = ("honours", "fixed", "unknown")
ALGORITHMS: Final = ["RS256", "ES256", "EdDSA", "Ed25519"]
_JWKS: Final = "/.well-known/jwks.json"
_SCRIPT: Final = Path(__file__).with_name("verifiers.mjs")


@dataclass(frozen=True, slots=True)
class Facts:
    """Configuration of a service. `fixed_seconds` is the cache time of those that ignore headers."""

    issuer: str
    nodes: Sequence[str]
    fixed_seconds: int


@dataclass(slots=True)
class Count:
    """Counts of one verifier. `too_late`: expired before verification."""

    name: str
    verified: int = 0
    fetched: int = 0
    too_late: int = 0
    failures: list[str] = field(default_factory=list)


class Verifiers(Protocol):
    """One or several verifiers in a process."""

    def show(self, token: str) -> None:
        """Submit a token, without waiting for the result."""

    def counts(self) -> list[Count]:
        """Stop, after all submitted tokens were verified."""


class KeptKeySet:
    """The cached key set of one service. Fetches alternate between the nodes and skip unavailable ones."""

    def __init__(self, keeping: str, facts: Facts, count: Count) -> None:
        self._keeping, self._facts, self._count = keeping, facts, count
        self._good_until = 0.0
        self.document: dict[str, Any] = {"keys": []}

    def look_up(self, kid: str) -> dict[str, Any]:
        """Return the key set, fetched again if the caching rule requires it."""
        if self._keeping == "unknown":
            stale = kid not in {key["kid"] for key in self.document["keys"]}
        else:
            stale = time.monotonic() >= self._good_until
        if stale:
            self._fetch()
        return self.document

    def _fetch(self) -> None:
        asked_at = time.monotonic()
        for _ in range(10 * len(self._facts.nodes)):
            node = self._facts.nodes[self._count.fetched % len(self._facts.nodes)]
            self._count.fetched += 1
            with suppress(OSError), urllib.request.urlopen(node + _JWKS, timeout=5) as answer:
                self.document = json.load(answer)
                max_age = re.search(r"max-age=(\d+)", answer.headers["cache-control"])
                assert max_age is not None
                seconds = int(max_age[1]) if self._keeping == "honours" else self._facts.fixed_seconds
                self._good_until = asked_at + seconds
                return
            time.sleep(0.1)
        raise AssertionError("no node gave the key set")


def _by_pyjwt(token: str, document: dict[str, Any], issuer: str) -> None:
    key = pyjwt.PyJWKSet.from_dict(document)[pyjwt.get_unverified_header(token)["kid"]]
    pyjwt.decode(token, key, algorithms=ALGORITHMS, audience=issuer, issuer=issuer)


def _by_joserfc(token: str, document: dict[str, Any], issuer: str) -> None:
    decoded = joserfc.decode(token, KeySet.import_key_set(document), algorithms=ALGORITHMS)  # type: ignore[arg-type]
    expected: dict[str, Any] = {name: {"essential": True, "value": issuer} for name in ("iss", "aud")}
    joserfc.JWTClaimsRegistry(**expected, exp={"essential": True}).validate(decoded.claims)


class InThread:
    """A verifier in Python, which parses the keys again for each token."""

    def __init__(self, name: str, keeping: str, verify: Callable[[str, dict[str, Any], str], None], facts: Facts):
        self._count = Count(f"{name} {keeping}")
        self._keys = KeptKeySet(keeping, facts, self._count)
        self._verify, self._issuer = verify, facts.issuer
        self._shown: SimpleQueue[str | None] = SimpleQueue()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def show(self, token: str) -> None:
        self._shown.put(token)

    def counts(self) -> list[Count]:
        self._shown.put(None)
        self._thread.join()
        return [self._count]

    def _run(self) -> None:
        while (token := self._shown.get()) is not None:
            claims = pyjwt.decode(token, options={"verify_signature": False})
            if time.time() >= claims["exp"]:
                self._count.too_late += 1
                continue
            try:
                document = self._keys.look_up(pyjwt.get_unverified_header(token)["kid"])
                self._verify(token, document, self._issuer)
            except Exception as error:  # noqa: BLE001 - every error means that the token was not verified
                self._count.failures.append(f"{error!r} {pyjwt.get_unverified_header(token)}")
            else:
                self._count.verified += 1


class InNode:
    """The three verifiers based on jose, in one Node process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def show(self, token: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(token + "\n")
        self._process.stdin.flush()

    def counts(self) -> list[Count]:
        output, _ = self._process.communicate(timeout=60)
        return [Count(**json.loads(line)) for line in output.splitlines()]


@contextmanager
def all_verifiers(facts: Facts, cache: Path) -> Iterator[list[Verifiers]]:
    """Start all nine verifiers. `cache` is the folder of Node's packages."""
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="jeton-verifiers-") as folder:
        script = Path(folder) / _SCRIPT.name
        script.write_bytes(_SCRIPT.read_bytes())
        (Path(folder) / "node_modules").symlink_to(installed_packages(cache))
        configured = json.dumps(
            {"issuer": facts.issuer, "nodes": list(facts.nodes), "fixedSeconds": facts.fixed_seconds}
        )
        command = [node_and_npm()[0], str(script), configured]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
            try:
                in_threads = [
                    InThread(name, keeping, verify, facts)
                    for name, verify in (("PyJWT", _by_pyjwt), ("joserfc", _by_joserfc))
                    for keeping in KEEPING
                ]
                yield [*in_threads, InNode(node)]
            finally:
                node.kill()
