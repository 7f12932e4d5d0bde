"""DPoP keys and proofs of clients (RFC 9449 section 4.2)."""

import hashlib
import itertools
import json
from dataclasses import dataclass, field
from typing import Any, Final, Self

from joserfc.jwk import ECKey, Key, OKPKey

from jeton.crypto.algorithms import sign
from support.base64url import base64url
from support.in_process_server import ISSUER, START, ManualClock

TOKEN_URL: Final = ISSUER + "/oauth/token"
_NUMBERS = itertools.count()


@dataclass(frozen=True)
class DpopKey:
    """A DPoP key of a client, and proofs signed by it.

    `clock` is the client's clock; without one, time stands at `START`.
    """

    clock: ManualClock | None = None
    algorithm: str = "ES256"
    key: Key = field(default_factory=lambda: ECKey.generate_key("P-256"))

    @classmethod
    def ed25519(cls, clock: ManualClock | None = None) -> Self:
        return cls(clock, "EdDSA", OKPKey.generate_key("Ed25519"))

    @property
    def jkt(self) -> str:
        return self.key.thumbprint()

    def proof(
        self,
        method: str = "POST",
        url: str = TOKEN_URL,
        access_token: str | None = None,
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Return a new proof. Members of the header and claims can be replaced; one that is None is left out."""
        now = START if self.clock is None else self.clock.now()
        content: dict[str, Any] = {"jti": f"jti {next(_NUMBERS)}", "htm": method, "htu": url, "iat": now}
        if access_token is not None:
            content["ath"] = hash_of(access_token)
        return self.signed(header or {}, {**content, **claims})

    def signed(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        members = {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.public_jwk(), **header}
        signing_input = f"{_segment(members)}.{_segment(claims)}"
        return f"{signing_input}.{base64url(sign(self.algorithm, signing_input.encode(), self.key))}"

    def public_jwk(self) -> dict[str, Any]:
        members = ("kty", "crv", "x", "y")
        return {name: it for name, it in self.key.as_dict(private=False).items() if name in members}

    def headers(self, method: str, url: str, access_token: str, **claims: Any) -> dict[str, str]:
        """Return the header fields of a request to a protected resource with this access token."""
        proof = self.proof(method, url, access_token, **claims)
        return {"Authorization": f"DPoP {access_token}", "DPoP": proof}


def hash_of(access_token: str) -> str:
    return base64url(hashlib.sha256(access_token.encode()).digest())


def _segment(part: dict[str, Any]) -> str:
    return base64url(json.dumps({name: it for name, it in part.items() if it is not None}).encode())
