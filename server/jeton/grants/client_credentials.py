"""grant_type=client_credentials (RFC 6749 section 4.4): a client acts in its own name."""

from typing import Final

from jeton.frozen import Frozen
from jeton.grants.description import Grant
from jeton.grants.request import TokenRequest
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.dpop_rules import PROOF_REPLAYED
from jeton.storage.clock import Clock
from jeton.storage.ledger.replay_store import ReplayStore


class ClientCredentialsGrant(Frozen):
    """Issues access tokens to confidential clients."""

    clock: Clock
    replay_store: ReplayStore

    async def redeem(self, request: TokenRequest) -> Issue | Deny:
        """Return an access token, and no refresh token: the client can request another at any time (section 4.4.3)."""
        scope = request.granted_scope()
        # Nothing else is written for this grant.
        if request.single_use is not None and not await self.replay_store.use(request.single_use):
            return PROOF_REPLAYED
        return Issue(request.client, scope, request.audience, self.clock.now(), "issued")


CLIENT_CREDENTIALS: Final = Grant(
    "client_credentials",
    lambda parts: ClientCredentialsGrant(parts.clock, parts.replay_store).redeem,
    confidential=True,
)
