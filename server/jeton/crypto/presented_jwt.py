"""JWTs that others have signed (RFC 7515, RFC 7519): read first, and verified under a key that is found elsewhere."""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, Final

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key
from joserfc.util import urlsafe_b64decode

from jeton.crypto.algorithms import verify
from jeton.frozen import Frozen, Hidden

MAX_CHARACTERS: Final = 8192
# 2048 bits. It takes as long as a good one, and need not be generated.
_ANY_MODULUS: Final = "_" * 341 + "w"


class UnverifiedJwt(Frozen):
    """Header and claims of a JWT that is not verified."""

    header: Hidden[Mapping[str, Any]]
    claims: Hidden[Mapping[str, Any]]
    signing_input: Hidden[bytes]
    signature: Hidden[bytes]

    def is_signed_by(self, jwk: Mapping[str, str] | None, algorithm: str) -> bool:
        """Return whether the signature is valid under this public key. Takes as long without a key."""
        try:
            key = _stand_in(algorithm) if jwk is None else _load(tuple(jwk.items()))
            return verify(algorithm, self.signing_input, self.signature, key) and jwk is not None
        except (JoseError, ValueError):
            return False


def parse_jwt(text: str) -> UnverifiedJwt | None:
    """Return what a compact JWT says, or None if it is not one (RFC 7515 section 7.1)."""
    parts = text.encode().split(b".")
    if len(text) > MAX_CHARACTERS or len(parts) != 3:
        return None
    try:
        header, claims, signature = (urlsafe_b64decode(part) for part in parts)
        read_header, read_claims = msgspec.json.decode(header), msgspec.json.decode(claims)
    except (ValueError, RecursionError):
        return None
    if not isinstance(read_header, dict) or not isinstance(read_claims, dict):
        return None
    return UnverifiedJwt(read_header, read_claims, parts[0] + b"." + parts[1], signature)


@lru_cache(maxsize=1024)
def _load(members: tuple[tuple[str, str], ...]) -> Key:
    """Return a public key. Loading one takes longer than verifying with it, which would tell who exists."""
    return import_key(dict(members))


@cache
def _stand_in(algorithm: str) -> Key:
    """Return a key that verifies nothing, for a client that does not exist."""
    match algorithm:
        case "ES256":
            return ECKey.generate_key("P-256", private=False)
        case "Ed25519" | "EdDSA":
            return OKPKey.generate_key("Ed25519", private=False)
    return RSAKey.import_key({"kty": "RSA", "n": _ANY_MODULUS, "e": "AQAB"})
