"""Digests in ID tokens (OpenID Connect Core section 3.1.3.6, Back-Channel Logout section 2.1)."""

import hashlib
from typing import Final

from jeton.crypto.base64url import base64url

# The hash of the signature algorithm; Ed25519 uses SHA-512 (RFC 8032 section 5.1).
_HASHES: Final = {"RS256": "sha256", "ES256": "sha256", "EdDSA": "sha512"}
_SID_PURPOSE: Final = b"sid of ID tokens v1"


def at_hash_of(access_token: str, algorithm: str) -> str:
    """Return `at_hash`: the left half of the token's digest, in base64url. `algorithm` signs the ID token."""
    digest = hashlib.new(_HASHES[algorithm], access_token.encode()).digest()
    return base64url(digest[: len(digest) // 2])


def derive_session_id(browser_session_id: str, client_id: str) -> str:
    """Return `sid`, the name that one client knows a browser session by.

    Clients cannot tell from it that they share a browser session, whose 128 random bits no client knows.
    """
    named = b"\0".join((_SID_PURPOSE, browser_session_id.encode(), client_id.encode()))
    return base64url(hashlib.sha256(named).digest()[:16])
