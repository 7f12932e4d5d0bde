"""Base64url without padding (RFC 7515 section 2), in the one spelling that an encoder gives."""

import re
import string
from base64 import b64decode
from typing import Final

ALPHABET: Final = "A-Za-z0-9_-"
# The characters that may come last, by length modulo 4.
_LAST: Final = (f"{string.ascii_letters}{string.digits}-_", "", "AQgw", "AEIMQUYcgkosw048")
_TEXT: Final = re.compile(f"[{ALPHABET}]*")


def decode(text: str) -> bytes:
    """Return the octets. Raise ValueError for padding, any other character, an impossible length and spare bits.

    The last character may carry bits that no octet holds (RFC 4648 section 3.5). They must be zero: otherwise one
    signature would have up to sixteen spellings, and a token as many names in caches and lists.
    """
    if not _TEXT.fullmatch(text):
        raise ValueError("not base64url")
    if text and text[-1] not in _LAST[len(text) % 4]:
        raise ValueError("not the spelling of an encoder")
    return b64decode(text + "=" * (-len(text) % 4), altchars=b"-_")
