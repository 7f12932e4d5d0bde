"""DPoP proofs: a request is made by the holder of the key that its access token is bound to (RFC 9449 section 4.3)."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from jeton_client import base64url
from jeton_client.errors import InvalidProofError, InvalidTokenError
from jeton_client.key_set import VerificationKey, usable_key
from jeton_client.signed_jwt import claims_signed_by, parse_jwt
from jeton_client.strict_json import is_number

# RSA keys are larger and slower, and no browser needs them.
PROOF_ALGORITHMS: Final = ("ES256", "EdDSA", "Ed25519")
MAX_AGE_SECONDS: Final = 60.0
MAX_AHEAD_SECONDS: Final = 10.0
MAX_JTI_CHARACTERS: Final = 256
_TYPE: Final = "dpop+jwt"
_MAX_CHARACTERS: Final = 4096
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_URL: Final = re.compile(r"(https?)://([^/?#@\\]+)(/[^?#]*)?(?:[?#].*)?", re.IGNORECASE)
_DEFAULT_PORTS: Final = {"https": ":443", "http": ":80"}
_PRINTED: Final = re.compile(r"[\x21-\x7E]+")
_ESCAPED: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9\-._~]")


@dataclass(frozen=True, slots=True)
class ProvenRequest:
    """What a proof has to be for: a request with an access token, which is bound to the key of this thumbprint."""

    method: str
    url: str
    access_token: str = field(repr=False)
    thumbprint: str


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that is valid, apart from its nonce and its earlier use."""

    jti: str
    target: str
    nonce: object = None


def judge_proof(
    proofs: Sequence[str], request: ProvenRequest, algorithms: Collection[str], now: float, *, has_nonces: bool = False
) -> Proof:
    """Return the proof in these DPoP headers. Raise InvalidProofError with the reason.

    Reasons: `missing`, `several`, those of `parse_jwt`, `jwk`, `thumbprint`, `signature`, `jti`, `htm`, `htu`, `ath`,
    `iat`, `exp`, `nbf`, checked in this order. The thumbprint comes first, so that strangers cause no signature to be
    verified. With `has_nonces`, the nonce limits the age instead of `iat`, which depends on the client's clock.
    """
    if len(proofs) != 1:
        raise InvalidProofError("several" if proofs else "missing")
    claims = _verified_claims(proofs[0], request.thumbprint, algorithms)
    jti, target = claims.get("jti"), normalized_target(request.url)
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI_CHARACTERS:
        raise InvalidProofError("jti")
    if claims.get("htm") != request.method:
        raise InvalidProofError("htm")
    if target is None or normalized_target(claims.get("htu")) != target:
        raise InvalidProofError("htu")
    if claims.get("ath") != base64url.encode(sha256(request.access_token.encode()).digest()):
        raise InvalidProofError("ath")
    _check_times(claims, now, has_nonces=has_nonces)
    return Proof(jti, target, claims.get("nonce"))


def normalized_target(url: object) -> str | None:
    """Return the URL without query and fragment in its normal form (RFC 3986 section 6.2.2), or None if it has none."""
    parts = _URL.fullmatch(url) if isinstance(url, str) and _PRINTED.fullmatch(url) else None
    if parts is None:
        return None
    scheme, authority, path = parts[1].lower(), parts[2].lower(), parts[3]
    return f"{scheme}://{authority.removesuffix(_DEFAULT_PORTS[scheme])}{_ESCAPED.sub(_unescaped, path or '/')}"


def _unescaped(escaped: re.Match[str]) -> str:
    character = chr(int(escaped[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escaped[0].upper()


def _verified_claims(text: str, thumbprint: str, algorithms: Collection[str]) -> dict[str, Any]:
    try:
        unverified = parse_jwt(text, [_TYPE], algorithms, _MAX_CHARACTERS)
        key = _embedded_key(unverified.header.get("jwk"))
        if key.key.thumbprint() != thumbprint:
            raise InvalidProofError("thumbprint")
        return claims_signed_by(unverified, key)
    except InvalidTokenError as error:
        raise InvalidProofError(error.reason) from None


def _embedded_key(jwk: object) -> VerificationKey:
    """Return the public key. Raise InvalidProofError if it is none, is weak, or comes with its private part."""
    key = usable_key(jwk) if isinstance(jwk, dict) and not _PRIVATE_MEMBERS & jwk.keys() else None
    if key is None:
        raise InvalidProofError("jwk")
    return key


def _check_times(claims: Mapping[str, Any], now: float, *, has_nonces: bool) -> None:
    if not is_number(claims.get("iat")):
        raise InvalidProofError("iat")
    if not has_nonces and not now - MAX_AGE_SECONDS <= claims["iat"] <= now + MAX_AHEAD_SECONDS:
        raise InvalidProofError("iat")
    if "exp" in claims and (not is_number(claims["exp"]) or now >= claims["exp"]):
        raise InvalidProofError("exp")
    if "nbf" in claims and (not is_number(claims["nbf"]) or now + MAX_AHEAD_SECONDS < claims["nbf"]):
        raise InvalidProofError("nbf")
