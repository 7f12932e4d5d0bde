"""grant_type=refresh_token (RFC 6749 section 6). The rules are in `oauth.refresh_rotation`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jeton.crypto.refresh_token import RefreshTokens, parse_refresh_token
from jeton.frozen import Frozen
from jeton.grants.description import Grant
from jeton.grants.request import TokenRequest
from jeton.oauth import refresh_rotation
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.dpop_rules import PROOF_REPLAYED
from jeton.oauth.errors import ErrorCode
from jeton.oauth.parameters import require
from jeton.storage.ledger.ledger import Entry, Facts, Ledger
from jeton.storage.ledger.lock_requests import LockFamily
from jeton.storage.ledger.replay_store import only_once

if TYPE_CHECKING:  # for the command line, see grants/description.py
    from jeton.grants.token_failures import TokenFailures


class RefreshTokenGrant(Frozen):
    """Rotates refresh tokens."""

    ledger: Ledger
    refresh_tokens: RefreshTokens
    token_failures: TokenFailures

    async def redeem(self, request: TokenRequest) -> Issue | Deny:
        """Rotate the presented token, or refuse it; a replayed one ends its session."""
        presented = parse_refresh_token(require(request.parameters, "refresh_token"))
        if presented is None:
            return Deny(ErrorCode.INVALID_GRANT, "refresh_token_malformed")
        tokens, key = self.refresh_tokens, request.repetition_key
        refresh = refresh_rotation.RefreshRequest(
            presented.generation,
            request.scope,
            None if key is None else tokens.idempotency_digest(key),
            request.source,
            request.resources,
            request.confirmation,
        )

        def decide(facts: Facts) -> Issue | Deny:
            family, client = facts.family, request.client_now(facts.client)
            genuine = tokens.is_genuine(presented, family)
            return refresh_rotation.decide(
                family, facts.user, client, refresh, genuine=genuine, lifetimes=request.lifetimes, now=facts.now
            )

        entry = Entry(decide, (LockFamily(presented.sid),))
        decision = await self.ledger.enter(only_once(entry, request.single_use, PROOF_REPLAYED))
        await self.token_failures.record(decision, presented, request.source)
        return decision


REFRESH_TOKEN: Final = Grant(
    "refresh_token",
    lambda parts: RefreshTokenGrant(parts.ledger, parts.refresh_tokens, parts.token_failures).redeem,
    parameters=("refresh_token",),
)
