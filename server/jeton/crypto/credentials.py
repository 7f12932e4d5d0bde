"""Client secrets and other values of full entropy: generated here, kept as a digest, compared in constant time.

256 random bits need no slow hash: guessing one is hopeless, and a slow hash would let callers without credentials
make the server work.
"""

import hashlib
import hmac
import secrets
from array import array
from collections.abc import Iterable
from typing import Final

_NOBODY: Final = hashlib.sha256(secrets.token_bytes(32)).digest()


def generate_client_secret() -> str:
    """256 random bits (RFC 6749 section 10.10), with a prefix that secret scanners can search for."""
    return "jcs_" + secrets.token_urlsafe(32)


def generate_password() -> str:
    """A password of 160 random bits."""
    return secrets.token_urlsafe(20)


def generate_sub() -> str:
    """A subject identifier: 128 random bits, never used twice, and unlike any client_id (RFC 9068 section 5)."""
    return "u_" + secrets.token_hex(16)


def generate_jti() -> str:
    """An identifier for a token that belongs to no family: 128 random bits (RFC 7519 section 4.1.7)."""
    return secrets.token_urlsafe(16)


def shuffle(numbers: Iterable[int]) -> list[int]:
    """These, in an order that nobody can foresee."""
    given = list(numbers)
    # Drawn at once: to ask the system anew for each takes several times as long. 64 bits are too many for ties.
    draws = iter(array("Q", secrets.token_bytes(8 * len(given))))
    return sorted(given, key=lambda _: next(draws))


def digest_secret(secret: str) -> bytes:
    """SHA-256."""
    return hashlib.sha256(secret.encode()).digest()


def matches(presented: str, digests: Iterable[bytes]) -> bool:
    """Whether the secret is one of those. Takes as long where there is none to compare with."""
    digest = digest_secret(presented)
    found = False
    for known in [*digests, _NOBODY]:
        found |= hmac.compare_digest(digest, known)
    return found
