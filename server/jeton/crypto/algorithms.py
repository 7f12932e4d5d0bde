"""The algorithms that tokens may be signed with (RFC 7518 section 3, RFC 8037 section 3.1), by joserfc.

"EdDSA" means Ed25519. RFC 9864 prefers that very name for it, which verifiers in use do not know yet (ADR 0011).
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")


def generate_key(algorithm: str, rsa_bits: int | None) -> Key:
    """A new private key for the algorithm; `rsa_bits` is None for all but RS256."""
    match algorithm, rsa_bits:
        case "RS256", int(bits):
            return RSAKey.generate_key(bits)
        case "ES256", None:
            return ECKey.generate_key("P-256")
        case "EdDSA", None:
            return OKPKey.generate_key("Ed25519")
    raise ValueError(f"there is no key for {algorithm} with {rsa_bits} bits")


def private_key(jwk: dict[str, Any]) -> Key:
    """The key of a private JWK that was made here and sealed since. JoseError, KeyError or ValueError where it is none.

    Whether the factors of an RSA key are prime is not asked again: that takes as long as a hundred signatures, at every
    start.
    """
    if jwk.get("kty") != "RSA":
        return _asked_once(import_key(jwk))
    return _asked_once(RSAKey(_rsa_numbers(jwk).private_key(unsafe_skip_rsa_key_validation=True), jwk))


def public_key(jwk: dict[str, Any]) -> Key:
    """The key of a published JWK."""
    return _asked_once(import_key(jwk))


def _asked_once(key: Key) -> Key:
    """joserfc asks a key for every signature whether it may be used so, and what for it: the answers do not change."""
    key.get_op_key = cache(key.get_op_key)  # type: ignore[method-assign, assignment]
    return key


def _rsa_numbers(jwk: Mapping[str, Any]) -> RSAPrivateNumbers:
    """The members of a private key (RFC 7518 section 6.3.2)."""
    n, e, d, p, q, dp, dq, qi = (
        int.from_bytes(urlsafe_b64decode(jwk[name].encode())) for name in ("n", "e", "d", "p", "q", "dp", "dq", "qi")
    )
    return RSAPrivateNumbers(p, q, d, dp, dq, qi, RSAPublicNumbers(e, n))


def public_jwk(key: Key, algorithm: str) -> str:
    """The public part as it is published (RFC 7517 section 4); its kid is the thumbprint (RFC 7638)."""
    members = {"kid": key.thumbprint(), "use": "sig", "alg": algorithm}
    return json.dumps(key.as_dict(private=False) | members, sort_keys=True)


def sign(algorithm: str, signing_input: bytes, key: Key) -> bytes:
    """The JWS signature (RFC 7515 section 5.1)."""
    return JWSRegistry.algorithms[algorithm].sign(signing_input, key)


def is_signature(algorithm: str, signing_input: bytes, signature: bytes, key: Key) -> bool:
    """Whether this key made it (RFC 7515 section 5.2)."""
    return JWSRegistry.algorithms[algorithm].verify(signing_input, signature, key)
