"""Signature algorithms for tokens (RFC 7518 section 3, RFC 8037 section 3.1), based on joserfc.

"EdDSA" means Ed25519. RFC 9864 prefers the name "Ed25519", which deployed verifiers do not know yet (ADR 0011).
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")


def generate_key(algorithm: str, rsa_bits: int | None) -> Key:
    """Generate a private key. `rsa_bits` is None for all algorithms but RS256."""
    match algorithm, rsa_bits:
        case "RS256", int(bits):
            return RSAKey.generate_key(bits)
        case "ES256", None:
            return ECKey.generate_key("P-256")
        case "EdDSA", None:
            return OKPKey.generate_key("Ed25519")
    raise ValueError(f"no key can be generated for {algorithm} with {rsa_bits} bits")


def load_private_key(jwk: dict[str, Any]) -> Key:
    """Load a private JWK that was generated here. Raise JoseError, KeyError or ValueError if it is not valid.

    The primality of RSA factors is not checked again: that would take as long as a hundred signatures at every start.
    """
    if jwk.get("kty") != "RSA":
        return import_key(jwk)
    return RSAKey(_rsa_numbers(jwk).private_key(unsafe_skip_rsa_key_validation=True), jwk)


def load_public_key(jwk: dict[str, Any]) -> Key:
    """Load a published JWK."""
    return import_key(jwk)


def _rsa_numbers(jwk: Mapping[str, Any]) -> RSAPrivateNumbers:
    """Return the numbers of a private RSA key (RFC 7518 section 6.3.2)."""
    n, e, d, p, q, dp, dq, qi = (
        int.from_bytes(urlsafe_b64decode(jwk[name].encode())) for name in ("n", "e", "d", "p", "q", "dp", "dq", "qi")
    )
    return RSAPrivateNumbers(p, q, d, dp, dq, qi, RSAPublicNumbers(e, n))


def public_jwk(key: Key, algorithm: str) -> str:
    """Return the public key as published JSON (RFC 7517 section 4). Its `kid` is the thumbprint (RFC 7638)."""
    members = {"kid": key.thumbprint(), "use": "sig", "alg": algorithm}
    return json.dumps(key.as_dict(private=False) | members, sort_keys=True)


def sign(algorithm: str, signing_input: bytes, key: Key) -> bytes:
    """Return the JWS signature (RFC 7515 section 5.1)."""
    return JWSRegistry.algorithms[algorithm].sign(signing_input, key)


def verify(algorithm: str, signing_input: bytes, signature: bytes, key: Key) -> bool:
    """Return whether the signature is valid under this key (RFC 7515 section 5.2)."""
    return JWSRegistry.algorithms[algorithm].verify(signing_input, signature, key)
