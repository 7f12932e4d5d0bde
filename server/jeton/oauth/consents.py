"""Consents: what users have allowed clients (RFC 6749 section 4.1.1)."""

from dataclasses import dataclass

from jeton.oauth.scope import Scope


@dataclass(frozen=True, slots=True)
class Consent:
    """What one user has allowed one client: scope, and the URIs of resources (RFC 8707).

    `metadata_digest` is that of the client when the user allowed it, if nobody registered the client.
    """

    sub: str
    client_id: str
    scope: Scope
    resources: frozenset[str]
    created_at: int
    updated_at: int
    metadata_digest: bytes | None = None
