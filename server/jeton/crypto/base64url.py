"""base64url without padding (RFC 7515 section 2)."""

from base64 import urlsafe_b64encode


def base64url(octets: bytes) -> str:
    """Return the octets in base64url."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
