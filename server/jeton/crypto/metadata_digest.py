"""Digests of what a client says of itself, by which a change since a consent is noticed."""

import hashlib

import msgspec

from jeton.oauth.clients import Client


def digest_registered_metadata(canonical: str) -> bytes:
    """Return the digest (SHA-256) of the metadata of a client that registers itself, in canonical form."""
    return hashlib.sha256(canonical.encode()).digest()


def digest_described_client(client: Client) -> bytes:
    """Return the digest (SHA-256) of a client by metadata document: of its name, redirect URIs and keys.

    They are what a person relied on who allowed it something.
    """
    said = {
        "application_type": client.application_type,
        "auth_methods": sorted(client.auth_methods),
        "jwks": client.jwks,
        "jwks_uri": client.jwks_uri,
        "name": client.name,
        "redirect_uris": sorted(client.redirect_uris),
    }
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).digest()
