"""Introspection endpoint: POST /oauth/introspect (RFC 7662 section 2)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from jeton.crypto.refresh_token import PresentedRefreshToken, RefreshTokens
from jeton.crypto.signed_jwt import VerifiedToken
from jeton.endpoints.clients.client_authentication import AuthenticatedClient
from jeton.endpoints.messages import FormRequest, Json
from jeton.endpoints.token_parsing import TokenParser
from jeton.frozen import Frozen
from jeton.grants.token_failures import TokenFailures
from jeton.oauth.clients import Client
from jeton.oauth.decisions import MASTER_KEY_MISSING, refusal_of_unproven
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.introspection_rules import INACTIVE, introspect_access_token, introspect_refresh_token
from jeton.oauth.parameters import require
from jeton.oauth.revocation_rules import TOKEN_UNKNOWN
from jeton.oauth.sessions import Source
from jeton.storage.clock import Clock
from jeton.storage.lookups import Lookups, TokenSubject


class IntrospectionEndpoint(Frozen):
    """Tells clients what a token is worth at this moment."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedClient]]
    issuer: str
    default_audience: str
    tokens: TokenParser
    refresh_tokens: RefreshTokens
    token_failures: TokenFailures
    lookups: Lookups
    clock: Clock

    async def handle(self, request: FormRequest, caller: AuthenticatedClient) -> Json:
        """Return the token's state. Raise OAuthError for a public client.

        A public client does not prove its identity and may not scan for tokens (sections 2.1 and 4).
        """
        if caller.client.public:
            raise OAuthError(ErrorCode.INVALID_CLIENT, "public_client")
        return Json(await self._introspect(request, caller.client))

    async def _introspect(self, request: FormRequest, caller: Client) -> Mapping[str, Any]:
        token = await self.tokens.parse(require(request.parameters, "token"))
        if token is None:
            return INACTIVE
        if isinstance(token, VerifiedToken):
            return await self._introspect_access_token(token, caller)
        return await self._introspect_refresh_token(token, caller, request.source)

    async def _introspect_access_token(self, token: VerifiedToken, caller: Client) -> Mapping[str, Any]:
        claims = token.claims
        subject = TokenSubject(claims["client_id"], claims["sub"], claims.get("sid"), claims["jti"], token.kid)
        facts = await self.lookups.token_context(subject)
        # The audience that the caller answers to (RFC 9068 section 3).
        audience = caller.audience or (self.default_audience,)
        return introspect_access_token(claims, facts, caller, audience, self.clock.now(), self.default_audience)

    async def _introspect_refresh_token(
        self, token: PresentedRefreshToken, caller: Client, source: Source
    ) -> Mapping[str, Any]:
        facts = await self.lookups.token_context(TokenSubject(sid=token.sid))
        family = facts.family
        genuine = self.refresh_tokens.is_genuine(token, family)
        if family is None or not genuine:
            failure = refusal_of_unproven(family, genuine, TOKEN_UNKNOWN)
            await self.token_failures.record(failure, token, source)
            if failure == MASTER_KEY_MISSING:
                raise MASTER_KEY_MISSING.to_error()
            return INACTIVE
        return introspect_refresh_token(family, token.generation, facts, caller, self.issuer, self.clock.now())
