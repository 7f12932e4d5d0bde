"""Signature and key of a DPoP proof (RFC 9449 section 4.2). Its claims are judged by oauth/dpop_rules.py."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from jeton.crypto.algorithms import load_public_key, verify
from jeton.crypto.base64url import base64url
from jeton.frozen import Frozen, Hidden
from jeton.oauth.client_keys import PRIVATE_MEMBERS

MAX_PROOF_CHARACTERS: Final = 4096
_TYPE: Final = "dpop+jwt"
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_COORDINATE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
# Of each algorithm in DPOP_ALGORITHMS: what its keys have in common, and the members that make up one, all in the order
# of RFC 7638 section 3.2.
_OKP: Final = ({"crv": "Ed25519", "kty": "OKP"}, ("x",))
_KEYS: Final[Mapping[str, tuple[Mapping[str, str], tuple[str, ...]]]] = {
    "ES256": ({"crv": "P-256", "kty": "EC"}, ("x", "y")),
    "EdDSA": _OKP,
    "Ed25519": _OKP,
}


class DpopProofError(Exception):
    """The proof is malformed, or its signature is wrong. The message is a fixed word for the log."""


class SignedProof(Frozen):
    """A proof whose signature is valid by the key with the thumbprint `jkt` (RFC 7638, SHA-256)."""

    jkt: str
    claims: Hidden[Mapping[str, Any]]


def verify_proof(unverified_proof: str) -> SignedProof:
    """Return the proof, whose claims are not judged yet. Raise DpopProofError if it is not one JWT that is well signed.

    Only a public key of exactly the kind that the algorithm needs is used, and of it nothing but its numbers.
    """
    if len(unverified_proof) > MAX_PROOF_CHARACTERS or not _SHAPE.fullmatch(unverified_proof):
        raise DpopProofError("proof_malformed")
    signing_input, _, signature = unverified_proof.encode().rpartition(b".")
    header, claims = (_json_object(segment) for segment in signing_input.split(b"."))
    if header.get("typ") != _TYPE:
        raise DpopProofError("proof_of_other_type")
    if "crit" in header:
        raise DpopProofError("proof_has_critical_extension")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _KEYS:
        raise DpopProofError("proof_algorithm_not_allowed")
    key = _public_key(header.get("jwk"), algorithm)
    try:
        genuine = verify(algorithm, signing_input, urlsafe_b64decode(signature), load_public_key(key))
    except (JoseError, ValueError):
        genuine = False
    if not genuine:
        raise DpopProofError("proof_signature_wrong")
    return SignedProof(_thumbprint(key), claims)


def ath_of(access_token: str) -> str:
    """Return `ath`, the hash of an access token in a proof (RFC 9449 section 4.2)."""
    return base64url(hashlib.sha256(access_token.encode()).digest())


def _public_key(jwk: object, algorithm: str) -> dict[str, str]:
    """Return the members of the key, in the order of RFC 7638."""
    kind, coordinates = _KEYS[algorithm]
    if not isinstance(jwk, dict) or PRIVATE_MEMBERS & jwk.keys():
        raise DpopProofError("proof_key_missing_or_private")
    if any(jwk.get(name) != value for name, value in kind.items()):
        raise DpopProofError("proof_key_of_other_type")
    key: dict[str, Any] = {**kind, **{name: jwk.get(name) for name in coordinates}}
    if not all(isinstance(key[name], str) and _COORDINATE.fullmatch(key[name]) for name in coordinates):
        raise DpopProofError("proof_key_malformed")
    return key


def _thumbprint(key: Mapping[str, str]) -> str:
    return base64url(hashlib.sha256(msgspec.json.encode(key)).digest())


def _json_object(segment: bytes) -> dict[str, Any]:
    try:
        content = msgspec.json.decode(urlsafe_b64decode(segment))
    except (ValueError, RecursionError):
        raise DpopProofError("proof_malformed") from None
    if not isinstance(content, dict):
        raise DpopProofError("proof_malformed")
    return content
