"""Identifiers and tokens of clients that register themselves (RFC 7591, RFC 7592)."""

import re
import secrets
from typing import Final

from jeton.crypto.base64url import base64url
from jeton.oauth.clients import DYNAMIC_CLIENT_ID_PREFIX

_CLIENT_ID: Final = re.compile(DYNAMIC_CLIENT_ID_PREFIX + r"[A-Za-z0-9_-]{22,43}")


def generate_client_id() -> str:
    """Generate a client_id of 128 random bits."""
    return DYNAMIC_CLIENT_ID_PREFIX + secrets.token_urlsafe(16)


def shared_client_id(metadata_digest: bytes) -> str:
    """Return the client_id that every client with this metadata has."""
    return DYNAMIC_CLIENT_ID_PREFIX + base64url(metadata_digest)


def is_dynamic_client_id(text: str) -> bool:
    """Return whether a client that registered itself may have this client_id."""
    return _CLIENT_ID.fullmatch(text) is not None


def generate_initial_access_token() -> str:
    """Generate a token that lets a program register clients (RFC 7591 section 3): 256 random bits."""
    return "jia_" + secrets.token_urlsafe(32)


def generate_registration_access_token() -> str:
    """Generate a token that lets a client manage its registration (RFC 7592 section 3): 256 random bits."""
    return "jra_" + secrets.token_urlsafe(32)


def generate_token_id() -> str:
    """Generate the public identifier of an initial access token: 64 random bits."""
    return secrets.token_hex(8)
