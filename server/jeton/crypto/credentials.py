"""Client secrets and other random values: generated here, stored as a digest, compared in constant time.

256 random bits need no slow hash: they cannot be guessed, and a slow hash would let unauthenticated callers load the
server.
"""

import hashlib
import hmac
import secrets
from array import array
from collections.abc import Iterable
from typing import Final

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Two letters for each value of 10 bits: every request gets a reference.
_PAIRS: Final = tuple(first + second for first in _LETTERS for second in _LETTERS)
_DUMMY_DIGEST: Final = hashlib.sha256(secrets.token_bytes(32)).digest()


def generate_client_secret() -> str:
    """Generate a secret of 256 random bits (RFC 6749 section 10.10), with a prefix for secret scanners."""
    return "jcs_" + secrets.token_urlsafe(32)


def generate_password() -> str:
    """Generate a password of 160 random bits."""
    return secrets.token_urlsafe(20)


def generate_sub() -> str:
    """Generate a subject identifier of 128 random bits, which no client_id can equal (RFC 9068 section 5)."""
    return "u_" + secrets.token_hex(16)


def generate_jti() -> str:
    """Generate a `jti` of 128 random bits for a token without a family (RFC 7519 section 4.1.7)."""
    return secrets.token_urlsafe(16)


def generate_pushed_id() -> str:
    """Generate the identifier of a pushed authorization request: 128 random bits (RFC 9126 section 7.1)."""
    return secrets.token_urlsafe(16)


def generate_browser_session_id() -> str:
    """Generate the public identifier of a browser session: 128 random bits, base64url."""
    return secrets.token_urlsafe(16)


def generate_cookie_secret() -> str:
    """Generate the secret of a cookie: 256 random bits, base64url."""
    return secrets.token_urlsafe(32)


def generate_reference() -> str:
    """Generate a reference that people can read out, such as `7KQ2-M9XD`: 40 random bits without I, L, O and U."""
    number, pairs = secrets.randbits(40), _PAIRS
    return f"{pairs[number >> 30]}{pairs[number >> 20 & 1023]}-{pairs[number >> 10 & 1023]}{pairs[number & 1023]}"


def shuffle(numbers: Iterable[int]) -> list[int]:
    """Return the numbers in a random order."""
    ordered = list(numbers)
    # One system call instead of one for each number. Ties of 64-bit keys are negligible.
    keys = iter(array("Q", secrets.token_bytes(8 * len(ordered))))
    return sorted(ordered, key=lambda _: next(keys))


def digest_secret(secret: str) -> bytes:
    """Return the SHA-256 digest of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def matches(presented: str, digests: Iterable[bytes]) -> bool:
    """Return whether the secret has one of the digests. Takes the same time if there are no digests."""
    digest = digest_secret(presented)
    found = False
    for known in [*digests, _DUMMY_DIGEST]:
        found |= hmac.compare_digest(digest, known)
    return found
