"""grant_type=client_credentials (RFC 6749 section 4.4): a client acts in its own name."""

from dataclasses import dataclass
from typing import Final

from jeton.grants.description import Grant
from jeton.grants.request import TokenRequest
from jeton.oauth.decisions import Issue
from jeton.storage.clock import Clock


@dataclass(frozen=True, slots=True)
class ClientCredentialsGrant:
    """Issues access tokens to confidential clients."""

    clock: Clock

    async def redeem(self, request: TokenRequest) -> Issue:
        """Return an access token, and no refresh token: the client can request another at any time (section 4.4.3)."""
        return Issue(request.client, request.granted_scope(), request.audience, self.clock.now(), "issued")


CLIENT_CREDENTIALS: Final = Grant(
    "client_credentials", lambda parts: ClientCredentialsGrant(parts.clock).redeem, confidential=True
)
