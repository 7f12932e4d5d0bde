"""Consents: what users have allowed clients, and at which resources (RFC 6749 section 4.1.1, RFC 8707)."""

from collections.abc import Mapping
from typing import Final, Self

from jeton.frozen import Frozen, replace
from jeton.oauth.scope import Scope

# Scope by the URI of the resource where it counts. A resource may be there with an empty scope.
Access = Mapping[str, Scope]
# The key for what counts at no resource: the scopes of OpenID Connect, and requests that name no resource.
NO_RESOURCE: Final = ""


class Consent(Frozen):
    """What one user has allowed one client.

    A scope that was allowed at one resource is not allowed at another one. `metadata_digest` is that of the client when
    the user allowed it, if the client is unregistered.
    """

    sub: str
    client_id: str
    allowed: Access
    created_at: int
    updated_at: int
    metadata_digest: bytes | None = None

    @property
    def scope(self) -> Scope:
        """Everything that was allowed, at any resource."""
        return frozenset().union(*self.allowed.values())

    @property
    def resources(self) -> frozenset[str]:
        """The URIs of the resources that the client may use."""
        return frozenset(self.allowed) - {NO_RESOURCE}

    def new_in(self, wanted: Access) -> Access:
        """Return the part of `wanted` that was not allowed. Empty if everything was."""
        beyond = {uri: scope - self.allowed.get(uri, frozenset()) for uri, scope in wanted.items()}
        return {uri: scope for uri, scope in beyond.items() if scope or uri not in self.allowed}

    def covers(self, wanted: Access) -> bool:
        """Return whether everything was allowed."""
        return not self.new_in(wanted)

    def changed(self, allowed: Access, left_out: Access, now: int) -> Self:
        """Return the consent with what the user has allowed now, and without what the user was asked and left out."""

        def scope_at(uri: str) -> Scope:
            return self.allowed.get(uri, frozenset()) - left_out.get(uri, frozenset()) | allowed.get(uri, frozenset())

        return replace(self, allowed={uri: scope_at(uri) for uri in {**self.allowed, **allowed}}, updated_at=now)


def still_valid(consent: Consent | None, metadata_digest: bytes | None) -> Consent | None:
    """Return the consent, or None if the client describes itself otherwise by now than when it was given.

    The party that may change what an app says of itself (redirect URIs, keys, name) may be another than then.
    """
    return consent if consent is not None and consent.metadata_digest == metadata_digest else None
