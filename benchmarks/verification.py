"""Benchmark of access token verification: jeton_client and PyJWT with its PyJWKClient, in one run.

Both verify the same RS256 tokens of 2048-bit keys and check the same claims; each fetches the keys once, from a server
in a thread.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from joserfc.jwk import RSAKey
from joserfc.jwt import encode

from jeton_client import Verifier

AUDIENCE = "https://orders.example"
TOKENS = 1000
ROUNDS = 7
REQUIRED = ["exp", "iat", "iss", "aud", "sub", "client_id", "jti"]

Verify = Callable[[str], object]


@contextmanager
def issuer(key: RSAKey) -> Iterator[str]:
    """Serve metadata and keys."""
    jwk = {**key.as_dict(private=False), "kid": "one", "use": "sig", "alg": "RS256"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = f"http://127.0.0.1:{server.server_port}"
            keys = {"keys": [jwk]}
            body = json.dumps(keys if self.path == "/keys" else {"issuer": url, "jwks_uri": f"{url}/keys"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def tokens(url: str, key: RSAKey) -> list[str]:
    now = int(time.time())
    header = {"alg": "RS256", "typ": "at+jwt", "kid": "one"}
    claims = {"iss": url, "aud": AUDIENCE, "sub": "u_1", "client_id": "web", "iat": now, "exp": now + 3600}
    claims |= {"scope": "read write", "sid": "c2Vzc2lvbg", "roles": ["editor"]}
    return [encode(header, {**claims, "jti": str(number)}, key, algorithms=["RS256"]) for number in range(TOKENS)]


def by_pyjwt(url: str, *, cache_keys: bool) -> Verify:
    """Verify with PyJWT as in its documentation, with the checks that RFC 9068 requires."""
    keys = jwt.PyJWKClient(f"{url}/keys", cache_keys=cache_keys)

    def verify(token: str) -> object:
        key = keys.get_signing_key_from_jwt(token)
        found = jwt.decode_complete(
            token, key, algorithms=["RS256"], issuer=url, audience=AUDIENCE, options={"require": REQUIRED}
        )
        assert found["header"]["typ"] == "at+jwt"
        return found["payload"]

    return verify


def microseconds(verify: Verify, given: list[str]) -> float:
    """Return the time per token, from the best of several rounds."""
    verify(given[0])
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for token in given:
            verify(token)
        times.append((time.perf_counter() - begun) / len(given) * 1e6)
    return min(times)


@dataclass(frozen=True, slots=True)
class VerificationCost:
    """Microseconds that the verification of one token takes."""

    verifier: str
    microseconds: float


def measure_verification() -> list[VerificationCost]:
    """Measure each verifier. The first is the one that others are compared with."""
    key = RSAKey.generate_key(2048)
    with issuer(key) as url:
        given = tokens(url, key)
        contestants: dict[str, Verify] = {
            "PyJWT with its `PyJWKClient`": by_pyjwt(url, cache_keys=False),
            "the same with `cache_keys=True`": by_pyjwt(url, cache_keys=True),
            "`jeton_client.Verifier`, every token verified again (`max_cache_entries=0`)": Verifier(
                url, AUDIENCE, max_cache_entries=0
            ).verify,
            "`jeton_client.Verifier`, a token that was verified before": Verifier(url, AUDIENCE).verify,
        }
        return [VerificationCost(name, round(microseconds(it, given), 1)) for name, it in contestants.items()]


if __name__ == "__main__":
    print(*measure_verification(), sep="\n")
