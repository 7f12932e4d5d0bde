"""Client authentication by an assertion that the client has signed: private_key_jwt (RFC 7523 section 2.2)."""

from typing import Final

import structlog

from jeton.crypto.presented_jwt import UnverifiedJwt
from jeton.crypto.single_use_digest import single_use_digest
from jeton.endpoints.clients.client_key_sets import ClientKeySets
from jeton.frozen import Frozen
from jeton.oauth.client_assertions import AssertionAudiences, assertion_rejection_reason, claimed_client_id
from jeton.oauth.clients import Client
from jeton.oauth.registration.unregistered_clients import describes_itself
from jeton.oauth.single_use import SingleUse
from jeton.storage.clock import Clock
from jeton.storage.ledger.replay_store import ReplayStore

# After `exp`, for nodes whose clocks differ.
_REMEMBERED_SECONDS: Final = 60

log = structlog.get_logger("jeton.client_assertions")


class ClientAssertions(Frozen):
    """Verifies assertions."""

    audiences: AssertionAudiences
    keys: ClientKeySets
    replay_store: ReplayStore
    clock: Clock

    async def rejection_reason(self, client: Client | None, assertion: UnverifiedJwt) -> str | None:
        """Return why the assertion does not authenticate the client (for the log), or None if it does.

        Takes as long for a client that does not exist, but for the fetch of a published key set. An assertion is used
        up by this (section 3).
        """
        header, claims, now = assertion.header, assertion.claims, self.clock.now()
        presumed = client or Client(claimed_client_id(claims), public=False, created_at=0)
        reason = assertion_rejection_reason(header, claims, presumed, self.audiences, now)
        if reason is not None:
            return reason
        key = await self.keys.find(presumed, header.get("kid"), header["alg"])
        if not assertion.is_signed_by(None if key is None else key.jwk, header["alg"]):
            return "assertion_key_unknown" if key is None else "assertion_signature_wrong"
        digest = single_use_digest("client assertion", presumed.client_id, claims["jti"])
        used = SingleUse(digest, int(claims["exp"]) + _REMEMBERED_SECONDS)
        if not await self.replay_store.use(used, registered=not describes_itself(presumed)):
            return "assertion_used_before"
        if claims["aud"] not in (self.audiences.issuer, [self.audiences.issuer]):
            log.warning("assertion_with_legacy_audience", client_id=presumed.client_id)
        return None
