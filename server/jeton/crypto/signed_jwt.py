"""Signing and verification of this server's JWTs (RFC 7515, 7519, 9068)."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from jeton.crypto.algorithms import load_public_key, verify
from jeton.crypto.key_stores import PrivateKey
from jeton.frozen import Frozen, Hidden

ACCESS_TOKEN: Final = "at+jwt"
ID_TOKEN: Final = "JWT"
LOGOUT_TOKEN: Final = "logout+jwt"
MAX_CHARACTERS: Final = 8192


class VerifiedToken(Frozen):
    """A token with a valid signature by this server's key `kid`."""

    kid: str
    claims: Hidden[dict[str, Any]]


class Signer:
    """Signs JWTs with one private key."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self._headers: dict[str, bytes] = {}
        self.kid = key.kid
        self.algorithm = key.algorithm
        self.is_external = key.is_external

    def __repr__(self) -> str:
        return f"Signer({self.kid})"

    def sign(self, claims: Mapping[str, Any], typ: str = ACCESS_TOKEN) -> str:
        """Return the JWT in compact serialization (RFC 7515 section 3.1), by default an access token."""
        header = self._headers.get(typ)
        if header is None:
            header = self._headers[typ] = _header(typ, self._key.algorithm, self.kid)
        signing_input = header + b"." + _base64url(msgspec.json.encode(claims))
        return (signing_input + b"." + _base64url(self._key.sign(signing_input))).decode()


class Verifier:
    """Verifies this server's tokens of one type. Public keys are looked up by the exact header that the signer writes.

    No other header is accepted, so that no key, URL or algorithm is ever taken from a token (RFC 8725).
    """

    def __init__(self, public_jwks: Iterable[dict[str, Any]], typ: str = ACCESS_TOKEN) -> None:
        self._typ = typ
        self._keys = {
            _header(typ, jwk["alg"], jwk["kid"]): (jwk["kid"], jwk["alg"], load_public_key(jwk)) for jwk in public_jwks
        }

    def verify(self, unverified_token: str) -> VerifiedToken | None:
        """Return the token if this server signed it, expired or not; else None."""
        if len(unverified_token) > MAX_CHARACTERS:
            return None
        try:
            signing_input, _, signature = unverified_token.encode().rpartition(b".")
            header, _, payload = signing_input.partition(b".")
            kid, algorithm, key = self._keys[header]
            if not verify(algorithm, signing_input, urlsafe_b64decode(signature), key):
                return None
            claims = msgspec.json.decode(urlsafe_b64decode(payload))
        except (KeyError, ValueError, RecursionError):
            return None
        return VerifiedToken(kid, claims) if isinstance(claims, dict) else None

    def lacks_key_of(self, unverified_token: str) -> bool:
        """Return whether the token has a header like this server's with an unknown `kid`."""
        segment, _, rest = unverified_token.partition(".")
        if not rest or len(unverified_token) > MAX_CHARACTERS:
            return False
        try:
            given = msgspec.json.decode(urlsafe_b64decode(segment.encode()))
            expected = _header(self._typ, given["alg"], given["kid"])
        except (KeyError, TypeError, ValueError, RecursionError):
            return False
        return segment.encode() == expected and expected not in self._keys


def unverified_parts(unverified_token: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return header and claims of a JWT without verification, for display, or None if it is not a JWT."""
    try:
        parts = jws.extract_compact(unverified_token.encode())
        claims = json.loads(parts.payload)
    except (JoseError, ValueError, RecursionError):
        return None
    return (parts.headers(), claims) if isinstance(claims, dict) else None


def _header(typ: str, algorithm: str, kid: str) -> bytes:
    return _base64url(msgspec.json.encode({"typ": typ, "alg": algorithm, "kid": kid}))


def _base64url(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")
