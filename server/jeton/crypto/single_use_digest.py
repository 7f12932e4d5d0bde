"""Digests that identify what may be used once. Nothing that was presented can be recovered from them."""

import hashlib


def single_use_digest(purpose: str, *parts: str) -> bytes:
    """Return the SHA-256 digest of the parts, which differs between purposes and between splits of the same text."""
    digest = hashlib.sha256()
    for text in (purpose, *parts):
        octets = text.encode()
        digest.update(len(octets).to_bytes(4) + octets)
    return digest.digest()
