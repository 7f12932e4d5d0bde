"""Base64url without padding, the encoding of all parts of JOSE (RFC 7515 section 2)."""

from base64 import urlsafe_b64encode


def base64url(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
