"""POST /oauth/introspect (RFC 7662 section 2)."""

from collections.abc import Mapping
from typing import Any

from jeton.crypto.refresh_token import PresentedRefreshToken
from jeton.crypto.signed_jwt import VerifiedToken
from jeton.endpoints.client_authentication import authenticate_client
from jeton.endpoints.messages import Answer, FormRequest
from jeton.endpoints.token_parsing import parse_presented_token
from jeton.grants.services import Services
from jeton.oauth.clients import Client
from jeton.oauth.decisions import MASTER_KEY_MISSING
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.introspection_rules import INACTIVE, introspect_access_token, introspect_refresh_token
from jeton.oauth.parameters import require
from jeton.oauth.sessions import Source
from jeton.storage.lookups import TokenSubject


async def answer_introspection_request(request: FormRequest, services: Services) -> Answer:
    """Authenticate the caller; recognise the token; look up its surroundings as they are now; answer.

    A public client proves nothing by its name, and may not scan for tokens (sections 2.1 and 4).
    """
    caller = await authenticate_client(request, services)
    try:
        if caller.public:
            raise OAuthError(ErrorCode.INVALID_CLIENT, "public_client")
        return Answer(await _introspect(request, caller, services), caller)
    except OAuthError as error:
        return Answer(error, caller)


async def _introspect(request: FormRequest, caller: Client, services: Services) -> Mapping[str, Any]:
    token = await parse_presented_token(require(request.parameters, "token"), services)
    if token is None:
        return INACTIVE
    if isinstance(token, VerifiedToken):
        return await _introspect_access_token(token, caller, services)
    return await _introspect_refresh_token(token, caller, request.source, services)


async def _introspect_access_token(token: VerifiedToken, caller: Client, services: Services) -> Mapping[str, Any]:
    claims = token.claims
    subject = TokenSubject(claims["client_id"], claims["sub"], claims.get("sid"), claims["jti"], token.kid)
    facts = await services.records.token_context(subject)
    return introspect_access_token(claims, facts, caller, services.audience_of(caller), services.clock.now())


async def _introspect_refresh_token(
    token: PresentedRefreshToken, caller: Client, source: Source, services: Services
) -> Mapping[str, Any]:
    facts = await services.records.token_context(TokenSubject(sid=token.sid))
    family = facts.family
    genuine = None if family is None else services.refresh_tokens.is_genuine(token, family.master_key_id, family.secret)
    if family is not None and genuine is None:
        services.missing_master_keys.report(token.master_key_id)
        raise OAuthError(MASTER_KEY_MISSING.code, MASTER_KEY_MISSING.reason)
    if family is None or not genuine:
        await services.request_limits.count_unknown_token(source)
        return INACTIVE
    return introspect_refresh_token(family, token.generation, facts, caller, services.issuer, services.clock.now())
