"""Imported password hash: the type, its cost limits and parsing functions shared by all formats."""

import base64
import binascii
import hmac
from collections.abc import Callable
from typing import Final

from jeton.crypto.hash_costs import MAX_MEMORY_KIB, MAX_MILLISECONDS
from jeton.frozen import Frozen

SALT_BYTES: Final = range(8, 129)
# Shorter digests have too many collisions.
DIGEST_BYTES: Final = range(16, 129)

# Returns whether the bytes are the password.
Check = Callable[[bytes], bool]

# Parts of regular expressions for several formats.
NUMBER: Final = "[1-9][0-9]{0,9}"
SALT_TEXT: Final = "(?P<salt_text>[!-#%-~]+)"
SALT: Final = r"(?P<salt>[A-Za-z0-9+/.]+={0,2})"
DIGEST: Final = r"(?P<digest>[A-Za-z0-9+/.]+={0,2})"
HEX_DIGEST: Final = "(?P<digest_hex>[0-9a-f]+)"


class PasswordHashRefusedError(Exception):
    """The hash is not accepted. The message says why and what to do; it never contains the hash."""


class ImportedHash(Frozen):
    """A hash that can be verified within the cost limits. `parameters` describes its cost; it contains no secret."""

    parameters: str
    check: Check


def require_within_budget(parameters: str, milliseconds: float, memory_kib: float, check: Check) -> ImportedHash:
    """Return the hash. Raise PasswordHashRefusedError if the predicted cost of one check exceeds the limits."""
    if milliseconds > MAX_MILLISECONDS:
        raise PasswordHashRefusedError(
            f"one check of this password hash ({parameters}) would take about {milliseconds:,.0f} ms:"
            f" at most {MAX_MILLISECONDS:,} ms"
        )
    if memory_kib > MAX_MEMORY_KIB:
        raise PasswordHashRefusedError(
            f"one check of this password hash ({parameters}) would take {memory_kib:,.0f} KiB of memory:"
            f" at most {MAX_MEMORY_KIB:,} KiB"
        )
    return ImportedHash(parameters, check)


def digest_check(digest: bytes, derive: Callable[[bytes], bytes]) -> Check:
    """Return a check that derives a digest from the password and compares it in constant time."""
    return lambda password: hmac.compare_digest(derive(password), digest)


def require(condition: bool, wanted: str) -> None:
    """Raise PasswordHashRefusedError, with what was expected, unless the condition is true."""
    if not condition:
        raise PasswordHashRefusedError(f"the password hash is malformed: {wanted}")


def require_lengths(salt: bytes, digest: bytes) -> None:
    """Raise PasswordHashRefusedError if the salt or the digest is too short or too long."""
    require(len(salt) in SALT_BYTES, f"the salt must have {SALT_BYTES[0]} to {SALT_BYTES[-1]} bytes")
    require(len(digest) in DIGEST_BYTES, f"the digest must have {DIGEST_BYTES[0]} to {DIGEST_BYTES[-1]} bytes")


def decode_base64(text: str) -> bytes:
    """Decode base64 with or without padding; passlib writes `.` for `+`. Raise PasswordHashRefusedError."""
    bare = text.rstrip("=").replace(".", "+")
    try:
        decoded = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:
        decoded = b""
    require(base64.b64encode(decoded).decode().rstrip("=") == bare, "the base64 is not valid")
    return decoded


def decode_hex(text: str) -> bytes:
    """Decode hexadecimal digits. Raise PasswordHashRefusedError if their number is odd."""
    try:
        return binascii.unhexlify(text)
    except ValueError:
        raise PasswordHashRefusedError("the password hash is malformed: an odd number of hexadecimal digits") from None
