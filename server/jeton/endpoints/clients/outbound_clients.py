"""Requests to addresses of clients: into private networks only if an administrator has named the address (ADR 0029)."""

from jeton.frozen import Frozen
from jeton.oauth.clients import Client
from jeton.oauth.registration.unregistered_clients import describes_itself
from jeton.outbound.client import OutboundClient


class OutboundClients(Frozen):
    """`registered` makes requests to addresses that administrators have named, `unregistered` to all others."""

    registered: OutboundClient
    unregistered: OutboundClient

    def of(self, client: Client) -> OutboundClient:
        """Return what makes requests to the addresses of this client."""
        return self.unregistered if describes_itself(client) else self.registered
