"""POST /oauth/revoke (RFC 7009 section 2)."""

import structlog

from jeton.crypto.signed_jwt import VerifiedToken
from jeton.endpoints.client_authentication import authenticate_client
from jeton.endpoints.messages import Answer, FormRequest
from jeton.endpoints.token_parsing import parse_presented_token
from jeton.grants.services import Services
from jeton.oauth.clients import Client
from jeton.oauth.decisions import MASTER_KEY_MISSING, Deny, End
from jeton.oauth.errors import OAuthError
from jeton.oauth.parameters import require
from jeton.oauth.revocation_rules import TOKEN_UNKNOWN, revoke_access_token, revoke_family
from jeton.storage.ledger import Entry, Facts

log = structlog.get_logger("jeton.revoke")


async def answer_revocation_request(request: FormRequest, services: Services) -> Answer:
    """Authenticate the client; recognise the token; end it; answer once that is durable.

    200 for whatever is not a live token of ours: the client's aim is reached (section 2.2). The body is an empty JSON
    object, because HTTP clients fail on an empty body where they expect JSON.
    """
    client = await authenticate_client(request, services)
    try:
        decision = await _end(request, client, services)
        if isinstance(decision, Deny):
            raise OAuthError(decision.code, decision.reason)
        sid = decision.family.sid if decision.family else None
        log.info("token_revoked", reason=decision.reason, client_id=client.client_id, ip=request.source.ip, sid=sid)
        return Answer({}, client)
    except OAuthError as error:
        return Answer(error, client)


async def _end(request: FormRequest, client: Client, services: Services) -> End | Deny:
    token = await parse_presented_token(require(request.parameters, "token"), services)
    if token is None:
        return End(TOKEN_UNKNOWN)
    if isinstance(token, VerifiedToken):
        claims = token.claims
        return await services.ledger.enter(Entry(lambda facts: revoke_access_token(claims, client, facts.now)))

    def decide(facts: Facts) -> End | Deny:
        family = facts.family
        genuine = (
            None if family is None else services.refresh_tokens.is_genuine(token, family.master_key_id, family.secret)
        )
        return revoke_family(family, client, genuine=genuine, now=facts.now)

    decision = await services.ledger.enter(Entry(decide, sid=token.sid))
    if decision == MASTER_KEY_MISSING:
        services.missing_master_keys.report(token.master_key_id)
    if decision.reason == TOKEN_UNKNOWN:
        await services.request_limits.count_unknown_token(request.source)
    return decision
