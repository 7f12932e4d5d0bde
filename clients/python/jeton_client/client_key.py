"""Client authentication by a signature, `private_key_jwt` (RFC 7523 section 2.2, OpenID Connect Core section 9)."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry

from jeton_client import base64url

_ALGORITHMS: Final = {"EC": "ES256", "OKP": "EdDSA", "RSA": "PS256"}
_SECONDS: Final = 60
_TYPE: Final = "client-authentication+jwt"


class ClientKey:
    """The private key of a client, from a JWK: P-256, Ed25519 or RSA. The server knows the public part.

    Raise ValueError if it is no such private key.
    """

    def __init__(self, jwk: Mapping[str, Any], *, clock: Callable[[], float] = time.time) -> None:
        key = import_key(dict(jwk))
        if not isinstance(key, ECKey | OKPKey | RSAKey) or not key.is_private:
            raise ValueError("a client key is a private key: EC, OKP or RSA")
        self._key = key
        self._clock = clock
        self._header = {"alg": jwk.get("alg") or _ALGORITHMS[key.key_type], "typ": _TYPE}
        if "kid" in jwk:
            self._header["kid"] = jwk["kid"]

    @classmethod
    def from_file(cls, path: str | Path) -> "ClientKey":
        """Read the JWK from a file."""
        return cls(json.loads(Path(path).read_text()))

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
