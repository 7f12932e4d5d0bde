"""Signing keys and access tokens (RFC 7515, 7517, 7519, 7638, 9068), by joserfc.

A private key is stored as a JWE under a key derived from the master key. It is imported once: the import checks the
primes and costs fifty signatures.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from joserfc import jwe, jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from jeton.crypto.master_key import MasterKeyError, MasterKeys

TYPE: Final = "at+jwt"
MOST_CHARACTERS: Final = 8192
_ALGORITHM: Final = "RS256"
_WRAP: Final = ["A256GCMKW", "A256GCM"]
_REGISTRY: Final = JWSRegistry(algorithms=[_ALGORITHM])
_PURPOSE: Final = b"signing key wrapping v1"


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A signing key as it is stored: the public part in clear, the private part encrypted."""

    kid: str
    algorithm: str
    public_jwk: str
    private_jwe: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """An access token whose signature is that of our key `kid`."""

    kid: str
    claims: dict[str, Any] = field(repr=False)


class Signer:
    """A private key, ready to sign."""

    def __init__(self, key: RSAKey) -> None:
        self._key = key
        self.kid = key.thumbprint()
        self._header = {"typ": TYPE, "alg": _ALGORITHM, "kid": self.kid}

    def __repr__(self) -> str:
        return f"Signer({self.kid})"

    def sign(self, claims: dict[str, Any]) -> str:
        """The access token (RFC 9068 section 2)."""
        return jws.serialize_compact(self._header, msgspec.json.encode(claims), self._key, registry=_REGISTRY)


class Verifier:
    """The public keys that our access tokens may be signed with, by kid."""

    def __init__(self, public_jwks: Iterable[dict[str, Any]]) -> None:
        self._keys = {jwk["kid"]: RSAKey.import_key(jwk) for jwk in public_jwks}
        # What we sign has this header and no other: nothing unknown in it can mean anything.
        self._headers = {kid: {"typ": TYPE, "alg": _ALGORITHM, "kid": kid} for kid in self._keys}

    def verify(self, unverified_token: str) -> VerifiedToken | None:
        """An access token that we signed, expired or not; None for anything else.

        The kid selects among our own keys; no key, address or algorithm is ever taken from the token (RFC 8725).
        """
        if len(unverified_token) > MOST_CHARACTERS:
            return None
        try:
            token = jwt.decode(unverified_token, self._key_of, registry=_REGISTRY)
        # joserfc lets a malformed `crit` through as a TypeError.
        except (JoseError, ValueError, KeyError, TypeError, RecursionError):
            return None
        kid = token.header["kid"]
        return VerifiedToken(kid, token.claims) if token.header == self._headers.get(kid) else None

    def _key_of(self, unverified: GuestProtocol) -> RSAKey:
        return self._keys[str(unverified.headers()["kid"])]


def unverified_parts(unverified_token: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Header and claims of whatever looks like a JWT, for people to read: nothing of it is verified."""
    try:
        parts = jws.extract_compact(unverified_token.encode())
        claims = json.loads(parts.payload)
    except (JoseError, ValueError, RecursionError):
        return None
    return (parts.headers(), claims) if isinstance(claims, dict) else None


def generate_signing_key(bits: int, master_keys: MasterKeys) -> SealedKey:
    """A new RSA key of so many bits, sealed under the newest master key. Its kid is the RFC 7638 thumbprint."""
    key = RSAKey.generate_key(bits)
    kid = key.thumbprint()
    public = key.as_dict(private=False) | {"kid": kid, "use": "sig", "alg": _ALGORITHM}
    header = {"alg": _WRAP[0], "enc": _WRAP[1], "kid": master_keys.newest}
    private = json.dumps(key.as_dict(private=True)).encode()
    sealed = jwe.encrypt_compact(header, private, _wrapping_key(master_keys, master_keys.newest), algorithms=_WRAP)
    return SealedKey(kid, _ALGORITHM, json.dumps(public, sort_keys=True), sealed)


def open_signing_key(sealed: SealedKey, master_keys: MasterKeys) -> Signer:
    """The key, imported; MasterKeyError where no configured master key opens it."""
    try:
        opened = jwe.decrypt_compact(
            sealed.private_jwe, lambda it: _wrapping_key(master_keys, str(it.headers()["kid"])), algorithms=_WRAP
        )
        signer = Signer(RSAKey.import_key(json.loads(opened.plaintext or b"")))
    except (JoseError, ValueError):
        signer = None
    if signer is None or signer.kid != sealed.kid:
        raise MasterKeyError(f"the stored signing key {sealed.kid} does not open under the configured master key")
    return signer


def _wrapping_key(master_keys: MasterKeys, master_key_id: str) -> OctKey:
    return OctKey.import_key(master_keys.derive(master_key_id, _PURPOSE))
