"""grant_type=refresh_token (RFC 6749 section 6). The law is `oauth.rotation`."""

from jeton.crypto.refresh_token import parse_refresh_token
from jeton.grants.request import TokenRequest
from jeton.grants.services import Services
from jeton.oauth import refresh_rotation
from jeton.oauth.decisions import MASTER_KEY_MISSING, Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.parameters import require
from jeton.storage.ledger import Entry, Facts

GRANT_TYPE = "refresh_token"


async def redeem(request: TokenRequest, services: Services) -> Issue | Deny:
    """The family one generation on, or the end of it."""
    presented = parse_refresh_token(require(request.parameters, "refresh_token"))
    if presented is None:
        return Deny(ErrorCode.INVALID_GRANT, "refresh_token_malformed")
    tokens, key = services.refresh_tokens, request.idempotency_key
    refresh = refresh_rotation.RefreshRequest(
        presented.generation,
        request.scope,
        None if key is None else tokens.idempotency_digest(key),
        request.source,
    )

    def decide(facts: Facts) -> Issue | Deny:
        family, client = facts.family, request.client
        genuine = None if family is None else tokens.is_genuine(presented, family.master_key_id, family.secret)
        if facts.client is not None and facts.client.client_id == client.client_id:
            # The same client, as it is at this moment: what was taken from it is gone.
            client = facts.client
        return refresh_rotation.decide(
            family, facts.user, client, refresh, genuine=genuine, lifetimes=request.lifetimes, now=facts.now
        )

    decision = await services.ledger.enter(Entry(decide, sid=presented.sid))
    if decision == MASTER_KEY_MISSING:
        services.missing_master_keys.report(presented.master_key_id)
    if isinstance(decision, Deny) and decision.reason == refresh_rotation.TOKEN_UNKNOWN:
        await services.request_limits.count_unknown_token(request.source)
    return decision
