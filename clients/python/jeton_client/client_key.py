"""Client authentication by a signature, `private_key_jwt` (RFC 7523 section 2.2, OpenID Connect Core section 9)."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry

from jeton_client import base64url

# By key type and curve; the first is for keys that name none.
_ALGORITHMS: Final = {
    ("EC", "P-256"): ("ES256",),
    ("OKP", "Ed25519"): ("EdDSA", "Ed25519"),
    ("RSA", None): ("PS256", "PS384", "PS512", "RS256", "RS384", "RS512"),
}
_SECONDS: Final = 60
_TYPE: Final = "client-authentication+jwt"
_UNUSABLE: Final = "a client key is the JWK of a private key: P-256, Ed25519 or RSA"


class ClientKey:
    """The private key of a client, from a JWK: P-256, Ed25519 or RSA. The server knows the public part.

    Raise ValueError if it is no such private key.
    """

    def __init__(self, jwk: Mapping[str, Any], *, clock: Callable[[], float] = time.time) -> None:
        try:
            key = import_key(dict(jwk))
        except (JoseError, TypeError, ValueError):
            raise ValueError(_UNUSABLE) from None  # what is quoted may be private
        algorithms = _ALGORITHMS.get((key.key_type, jwk.get("crv")))
        if not isinstance(key, ECKey | OKPKey | RSAKey) or not key.is_private or not algorithms:
            raise ValueError(_UNUSABLE)
        algorithm = jwk.get("alg", algorithms[0])
        if algorithm not in algorithms:
            raise ValueError(f"the alg of this client key must be {' or '.join(algorithms)}")
        self._key = key
        self._clock = clock
        self._header = {"alg": algorithm, "typ": _TYPE}
        if "kid" in jwk:
            self._header["kid"] = jwk["kid"]

    @classmethod
    def from_file(cls, path: str | Path) -> "ClientKey":
        """Read the JWK from a file. Raise ValueError if it holds none, OSError if it cannot be read."""
        try:
            jwk = json.loads(Path(path).read_bytes())
        except ValueError:
            raise ValueError(_UNUSABLE) from None
        return cls(jwk)

    def assertion(self, client_id: str, issuer: str) -> str:
        """Return an assertion for one request. Each has an identifier of its own, because servers accept it once.

        The issuer is its only audience, so that no other server can use it.
        """
        now = int(self._clock())
        claims = {"iss": client_id, "sub": client_id, "aud": issuer, "iat": now, "exp": now + _SECONDS}
        parts = [self._header, {**claims, "jti": secrets.token_urlsafe(16)}]
        signed = ".".join(base64url.encode(json.dumps(it, separators=(",", ":")).encode()) for it in parts)
        signature = JWSRegistry.algorithms[self._header["alg"]].sign(signed.encode(), self._key)
        return f"{signed}.{base64url.encode(signature)}"
