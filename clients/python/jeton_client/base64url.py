"""Base64url without padding (RFC 7515 section 2)."""

import re
from base64 import b64decode
from typing import Final

ALPHABET: Final = "A-Za-z0-9_-"
_TEXT: Final = re.compile(f"[{ALPHABET}]*")


def decode(text: str) -> bytes:
    """ValueError for padding, for any other character, and for a length that it does not have."""
    if not _TEXT.fullmatch(text):
        raise ValueError("not base64url")
    return b64decode(text + "=" * (-len(text) % 4), altchars=b"-_")
