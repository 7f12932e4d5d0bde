"""Signed JWTs, from text to claims (RFC 7515, RFC 7519, RFC 8725). Header and claims are parsed once, strictly.

The token chooses nothing: the algorithm must be allowed, the key must be the
issuer's, and `jku`, `x5u`, `jwk` and `x5c` are ignored. (A DPoP proof has its key in `jwk`, by definition.)
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from jeton_client import base64url
from jeton_client.errors import InvalidTokenError
from jeton_client.key_set import KeySet, VerificationKey
from jeton_client.strict_json import parse_object

_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class UnverifiedJwt:
    """A well-formed JWT of the expected type with an allowed algorithm, not verified yet."""

    algorithm: str
    header: Mapping[str, Any] = field(repr=False)
    signing_input: bytes = field(repr=False)
    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def kid(self) -> str:
        """The name of the key. A JWT that was parsed by `parse_jwt` can have none."""
        return str(self.header["kid"])


def read_jwt(
    text: str, types: Collection[str | None], algorithms: Collection[str], max_characters: int
) -> UnverifiedJwt:
    """Parse a JWT that names its key; see `parse_jwt`. Raise InvalidTokenError(`kid`) if it does not."""
    unverified = parse_jwt(text, types, algorithms, max_characters)
    kid = unverified.header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise InvalidTokenError("kid")
    return unverified


def parse_jwt(
    text: str, types: Collection[str | None], algorithms: Collection[str], max_characters: int
) -> UnverifiedJwt:
    """Parse a JWT of one of these types, in lower case; None: without a type.

    Raise InvalidTokenError for `malformed`, `typ`, `alg` or `crit`, checked in this order.
    """
    if len(text) > max_characters or not _COMPACT.fullmatch(text):
        raise InvalidTokenError("malformed")
    signing_input, _, signature = text.rpartition(".")
    header, _, payload = signing_input.partition(".")
    try:
        members = parse_object(base64url.decode(header))
        octets = base64url.decode(payload), base64url.decode(signature)
    except ValueError:
        raise InvalidTokenError("malformed") from None
    if _type(members) not in types:
        raise InvalidTokenError("typ")
    algorithm = members.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise InvalidTokenError("alg")
    if "crit" in members:  # RFC 7515 section 4.1.11: an unsupported critical header makes the token invalid
        raise InvalidTokenError("crit")
    return UnverifiedJwt(algorithm, members, signing_input.encode(), *octets)


def verified_claims(unverified: UnverifiedJwt, keys: KeySet) -> dict[str, Any]:
    """Return the claims. Raise InvalidTokenError for `unknown_key`, `alg`, `signature` or `malformed`."""
    key = keys.get(unverified.kid)
    if key is None:
        raise InvalidTokenError("unknown_key")
    return claims_signed_by(unverified, key)


def claims_signed_by(unverified: UnverifiedJwt, key: VerificationKey) -> dict[str, Any]:
    """Return the claims. Raise InvalidTokenError for `alg`, `signature` or `malformed`."""
    if unverified.algorithm not in key.algorithms:
        raise InvalidTokenError("alg")
    if not _is_signature(unverified, key):
        raise InvalidTokenError("signature")
    try:
        return parse_object(unverified.payload)
    except ValueError:
        raise InvalidTokenError("malformed") from None


def _is_signature(unverified: UnverifiedJwt, key: VerificationKey) -> bool:
    """Return whether the signature was made by the key; False if the key turns out to be unusable."""
    try:
        algorithm = JWSRegistry.algorithms[unverified.algorithm]
        return algorithm.verify(unverified.signing_input, unverified.signature, key.key)
    except (ValueError, TypeError, JoseError):
        return False


def _type(header: Mapping[str, Any]) -> str | None:
    """Return `typ`, or None if there is none: case-insensitive, `application/` is optional (RFC 7515 section 4.1.9).

    Raise InvalidTokenError(`typ`) if it is not a string.
    """
    if "typ" not in header:
        return None
    if not isinstance(header["typ"], str):
        raise InvalidTokenError("typ")
    return header["typ"].lower().removeprefix("application/")
