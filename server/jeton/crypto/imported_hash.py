"""A password hash that another system made: what is common to all of its forms."""

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from jeton.crypto.hash_costs import MAX_MEMORY_KIB, MAX_MILLISECONDS

SALT_BYTES: Final = range(8, 129)
# A shorter digest would be the digest of many passwords.
DIGEST_BYTES: Final = range(16, 129)

# Whether these bytes are the password.
Check = Callable[[bytes], bool]

# Parts of regular expressions that several forms share.
NUMBER: Final = "[1-9][0-9]{0,9}"
SALT_TEXT: Final = "(?P<salt_text>[!-#%-~]+)"
SALT: Final = r"(?P<salt>[A-Za-z0-9+/.]+={0,2})"
DIGEST: Final = r"(?P<digest>[A-Za-z0-9+/.]+={0,2})"
HEX_DIGEST: Final = "(?P<digest_hex>[0-9a-f]+)"


class PasswordHashRefusedError(Exception):
    """The hash cannot be taken. The text says why and what to do; it never holds the hash."""


@dataclass(frozen=True, slots=True)
class ImportedHash:
    """A hash that can be checked within the budget. `parameters` tells kinds of checks apart; it holds no secret."""

    parameters: str
    check: Check


def require_within_budget(parameters: str, milliseconds: float, memory_kib: float, check: Check) -> ImportedHash:
    """Return the hash with these predicted costs, or raise PasswordHashRefusedError if one check costs too much."""
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
    """Return the check that compares what `derive` makes of a password with the digest."""
    return lambda password: hmac.compare_digest(derive(password), digest)


def require(condition: bool, wanted: str) -> None:
    if not condition:
        raise PasswordHashRefusedError(f"the password hash is malformed: {wanted}")


def require_lengths(salt: bytes, digest: bytes) -> None:
    require(len(salt) in SALT_BYTES, f"the salt must have {SALT_BYTES[0]} to {SALT_BYTES[-1]} bytes")
    require(len(digest) in DIGEST_BYTES, f"the digest must have {DIGEST_BYTES[0]} to {DIGEST_BYTES[-1]} bytes")


def decode_base64(text: str) -> bytes:
    """Return the bytes of base64 with or without padding; passlib writes a dot for the plus sign."""
    bare = text.rstrip("=").replace(".", "+")
    try:
        decoded = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:
        decoded = b""
    require(base64.b64encode(decoded).decode().rstrip("=") == bare, "its base64 is none")
    return decoded


def decode_hex(text: str) -> bytes:
    """Return the bytes of hexadecimal digits."""
    try:
        return binascii.unhexlify(text)
    except ValueError:
        raise PasswordHashRefusedError("the password hash is malformed: an odd number of hexadecimal digits") from None
