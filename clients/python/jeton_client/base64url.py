"""Base64url without padding (RFC 7515 section 2), in the one spelling that an encoder gives."""

import re
from base64 import b64decode, urlsafe_b64encode
from typing import Final

ALPHABET: Final = "A-Za-z0-9_-"
_TEXT: Final = re.compile(f"[{ALPHABET}]*")


def decode(text: str) -> bytes:
    """Return the octets. Raise ValueError for padding, any other character, an impossible length and spare bits.

    The last character may carry bits that no octet holds (RFC 4648 section 3.5). They must be zero: otherwise one
    signature would have up to sixteen spellings, and a token as many names in caches and lists.
    """
    if not _TEXT.fullmatch(text):
        raise ValueError("not base64url")
    octets = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_")
    remainder = len(octets) % 3
    if remainder and urlsafe_b64encode(octets[-remainder:])[remainder] != ord(text[-1]):
        raise ValueError("not the spelling of an encoder")
    return octets
