"""Authorization codes: derived from the family, not stored (ADR 0024).

    jac_  base64url( version 1 | master key id 4 | sid 16 | tag 32 )

The tag is HMAC-SHA256 of all that precedes it, under a key derived from the master key, for this purpose alone, and the
family's secret. A code is generation zero of its family, so that it names no generation.
"""

import base64
import hashlib
import re
from typing import Final

from jeton.crypto.base64url import base64url
from jeton.crypto.family_tags import FamilyTags, Tagged
from jeton.crypto.master_key import MasterKeys

PREFIX: Final = "jac_"
_VERSION: Final = b"\x01"
_SHAPE: Final = re.compile(r"jac_[A-Za-z0-9_-]{71}")
_PURPOSE: Final = b"authorization code v1\0"


class PresentedCode(Tagged):
    """A well-formed code, not verified until `is_genuine` returns True."""


def parse_authorization_code(text: str) -> PresentedCode | None:
    """Parse a code. Return None if it is not well-formed."""
    if not _SHAPE.fullmatch(text):
        return None
    raw = base64.urlsafe_b64decode(text[len(PREFIX) :] + "=")
    if raw[:1] != _VERSION or PREFIX + base64url(raw) != text:
        return None
    return PresentedCode(base64url(raw[5:21]), raw[1:5].hex(), raw[:21], raw[21:])


class AuthorizationCodes(FamilyTags):
    """Derives and verifies authorization codes under the master keys."""

    def __init__(self, master_keys: MasterKeys) -> None:
        super().__init__(master_keys, _PURPOSE)

    def derive(self, sid: str, master_key_id: str, secret: bytes) -> str:
        """Derive the code of a family. Deterministic. Raise MasterKeyError if the key is not configured."""
        signed = _VERSION + bytes.fromhex(master_key_id) + base64.urlsafe_b64decode(sid + "==")
        return PREFIX + base64url(signed + self.tag(signed, master_key_id, secret))


def s256_challenge(code_verifier: str) -> str:
    """Return the challenge of a code verifier (RFC 7636 section 4.2)."""
    return base64url(hashlib.sha256(code_verifier.encode("ascii")).digest())
