"""JWTs that this server signs and reads again (RFC 7515, 7519, 9068)."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import import_key
from joserfc.util import urlsafe_b64decode

from jeton.crypto.algorithms import is_signature
from jeton.crypto.private_key import PrivateKey

ACCESS_TOKEN: Final = "at+jwt"
MOST_CHARACTERS: Final = 8192


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """An access token whose signature is that of our key `kid`."""

    kid: str
    claims: dict[str, Any] = field(repr=False)


class Signer:
    """Makes JWTs with one private key."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self._headers: dict[str, bytes] = {}
        self.kid = key.kid
        self.is_elsewhere = key.is_elsewhere

    def __repr__(self) -> str:
        return f"Signer({self.kid})"

    def sign(self, claims: Mapping[str, Any], typ: str = ACCESS_TOKEN) -> str:
        """The JWT in its compact form (RFC 7515 section 3.1); an access token unless `typ` says otherwise."""
        header = self._headers.get(typ)
        if header is None:
            header = self._headers[typ] = _base64url(msgspec.json.encode(_header(typ, self._key.algorithm, self.kid)))
        signing_input = header + b"." + _base64url(msgspec.json.encode(claims))
        return (signing_input + b"." + _base64url(self._key.sign(signing_input))).decode()


class Verifier:
    """The public keys that our access tokens may be signed with, by kid, each for one algorithm."""

    def __init__(self, public_jwks: Iterable[dict[str, Any]]) -> None:
        self._keys = {
            # What we sign has this header and no other: nothing unknown in it can mean anything.
            jwk["kid"]: (import_key(jwk), _header(ACCESS_TOKEN, jwk["alg"], jwk["kid"]))
            for jwk in public_jwks
        }

    def verify(self, unverified_token: str) -> VerifiedToken | None:
        """An access token that we signed, expired or not; None for anything else.

        The kid selects among our own keys; no key, address or algorithm is ever taken from the token (RFC 8725).
        """
        if len(unverified_token) > MOST_CHARACTERS:
            return None
        try:
            token = jws.extract_compact(unverified_token.encode())
            kid = str(token.headers()["kid"])
            key, header = self._keys[kid]
            if token.headers() != header:
                return None
            signing_input = token.segments["header"] + b"." + token.segments["payload"]
            if not is_signature(header["alg"], signing_input, urlsafe_b64decode(token.segments["signature"]), key):
                return None
            claims = json.loads(token.payload)
        # joserfc lets a malformed `crit` through as a TypeError.
        except (JoseError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return VerifiedToken(kid, claims) if isinstance(claims, dict) else None


def unverified_parts(unverified_token: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Header and claims of whatever looks like a JWT, for people to read: nothing of it is verified."""
    try:
        parts = jws.extract_compact(unverified_token.encode())
        claims = json.loads(parts.payload)
    except (JoseError, ValueError, RecursionError):
        return None
    return (parts.headers(), claims) if isinstance(claims, dict) else None


def _header(typ: str, algorithm: str, kid: str) -> dict[str, str]:
    return {"typ": typ, "alg": algorithm, "kid": kid}


def _base64url(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")
