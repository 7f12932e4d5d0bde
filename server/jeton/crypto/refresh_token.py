"""Refresh tokens: derived from the family, not stored (ADR 0002).

    jrt_  base64url( version 1 | master key id 4 | sid 16 | generation 4 | tag 32 )

The tag is HMAC-SHA256 of all that precedes it, under a key derived from the master key and the family's secret. Neither
a copy of the database nor the master key alone is enough to forge a token, and every generation ever issued can be
verified. 57 bytes are exactly 76 characters, so that each token has one encoding.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from jeton.crypto.base64url import base64url
from jeton.crypto.family_tags import FamilyTags, Tagged
from jeton.crypto.master_key import MasterKeys

PREFIX: Final = "jrt_"
_VERSION: Final = b"\x01"
_SHAPE: Final = re.compile(r"jrt_[A-Za-z0-9_-]{76}")
_SID: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_PURPOSE: Final = b"refresh token v1\0"


class PresentedRefreshToken(Tagged):
    """A well-formed token, not verified until `is_genuine` returns True."""

    generation: int


def generate_sid() -> str:
    """Generate the public identifier of a session: 128 random bits, base64url."""
    return secrets.token_urlsafe(16)


def is_sid(text: str) -> bool:
    """Return whether the text is a well-formed session identifier."""
    return _SID.fullmatch(text) is not None


def generate_family_secret() -> bytes:
    """Generate 256 random bits."""
    return secrets.token_bytes(32)


def parse_refresh_token(text: str) -> PresentedRefreshToken | None:
    """Parse a refresh token. Return None if it is not well-formed."""
    if not _SHAPE.fullmatch(text):
        return None
    raw = base64.urlsafe_b64decode(text[len(PREFIX) :])
    if raw[:1] != _VERSION:
        return None
    sid = base64url(raw[5:21])
    return PresentedRefreshToken(sid, raw[1:5].hex(), raw[:25], raw[25:], int.from_bytes(raw[21:25]))


class RefreshTokens(FamilyTags):
    """Derives and verifies refresh tokens under the master keys."""

    def __init__(self, master_keys: MasterKeys) -> None:
        super().__init__(master_keys, _PURPOSE)

    def derive(self, sid: str, generation: int, master_key_id: str, secret: bytes) -> str:
        """Derive the token of one generation. Deterministic. Raise MasterKeyError if the key is not configured."""
        signed = _VERSION + bytes.fromhex(master_key_id) + base64.urlsafe_b64decode(sid + "==") + generation.to_bytes(4)
        return PREFIX + base64.urlsafe_b64encode(signed + self.tag(signed, master_key_id, secret)).decode()

    def derive_jti(self, generation: int, claims: Mapping[str, Any], master_key_id: str, secret: bytes) -> str:
        """Derive the `jti` of an access token of a generation from its other claims.

        A repeated response has the same one, and a token that says anything else another one.
        """
        message = b"jti\0%d\0%b" % (generation, msgspec.json.encode(claims))
        return base64url(self.tag(message, master_key_id, secret)[:16])

    def idempotency_digest(self, key: str) -> bytes:
        """Return the stored digest of an Idempotency-Key."""
        return hashlib.sha256(b"idempotency\0" + key.encode()).digest()
