"""Base64url without padding (RFC 7515 section 2), in the one spelling that an encoder produces."""

import re
import string
from base64 import b64decode, urlsafe_b64encode
from typing import Final

ALPHABET: Final = "A-Za-z0-9_-"
# The allowed last characters, by length modulo 4.
_LAST: Final = (f"{string.ascii_letters}{string.digits}-_", "", "AQgw", "AEIMQUYcgkosw048")
_TEXT: Final = re.compile(f"[{ALPHABET}]*")


def encode(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return the octets. Raise ValueError for padding, any other character, an impossible length and spare bits.

    The last character can contain bits that belong to no octet (RFC 4648 section 3.5). They must be zero: otherwise one
    signature would have up to sixteen spellings, and a token as many keys in caches.
    """
    if not _TEXT.fullmatch(text):
        raise ValueError("not base64url")
    if text and text[-1] not in _LAST[len(text) % 4]:
        raise ValueError("not canonical base64url")
    return b64decode(text + "=" * (-len(text) % 4), altchars=b"-_")
