"""Digest of what a client says of itself, by which a change since a consent is noticed."""

import hashlib

import msgspec

from jeton.oauth.clients import Client


def metadata_digest(client: Client) -> bytes:
    """Return a digest (SHA-256) of name, redirect URIs and keys: what a person relied on who allowed it something."""
    said = {
        "application_type": client.application_type,
        "auth_methods": sorted(client.auth_methods),
        "jwks": client.jwks,
        "jwks_uri": client.jwks_uri,
        "name": client.name,
        "redirect_uris": sorted(client.redirect_uris),
    }
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).digest()
