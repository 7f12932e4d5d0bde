"""Key pairs of clients, and the JWTs that clients sign with them."""

import json
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc.jwk import ECKey, Key, OKPKey

from jeton.crypto.algorithms import sign
from support.base64url import base64url
from support.in_process_server import ISSUER, Running
from support.rsa_keys import RSA_KEYS

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class ClientKeyPair:
    """A key pair for one algorithm."""

    algorithm: str = "ES256"
    kid: str | None = "key 1"
    key: Key = field(init=False, repr=False)

    def __post_init__(self) -> None:
        match self.algorithm:
            case "ES256":
                key: Key = ECKey.generate_key("P-256")
            case "EdDSA" | "Ed25519":
                key = OKPKey.generate_key("Ed25519")
            case _:
                key = RSA_KEYS("RS256", 2048)
        object.__setattr__(self, "key", key)

    @property
    def public(self) -> dict[str, Any]:
        return {**self.key.as_dict(private=False), **({} if self.kid is None else {"kid": self.kid})}

    @property
    def private(self) -> dict[str, Any]:
        return {**self.public, **self.key.as_dict(private=True)}

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [self.public]}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """Return a signed JWT. A header member or claim that is `...` is left out."""
        protected = given({"alg": self.algorithm, "kid": self.kid or ..., **header})
        signing_input = ".".join(base64url(json.dumps(given(it)).encode()) for it in (protected, claims))
        return f"{signing_input}.{base64url(sign(self.algorithm, signing_input.encode(), self.key))}"

    def assertion(
        self, node: Running, client_id: str, header: dict[str, Any] | None = None, **claims: Any
    ) -> dict[str, str]:
        """Return the request parameters that authenticate the client."""
        valid = {
            "iss": client_id,
            "sub": client_id,
            "aud": ISSUER,
            "exp": node.clock.now() + 60,
            "jti": secrets.token_urlsafe(16),
        }
        return as_parameters(self.sign(valid | claims, **(header or {})))


def as_parameters(assertion: str) -> dict[str, str]:
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


def given(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members without those that are `...`, which a test leaves out."""
    return {name: value for name, value in members.items() if value is not ...}
