"""Revocation endpoint: POST /oauth/revoke (RFC 7009 section 2)."""

from collections.abc import Awaitable, Callable

import structlog

from jeton.crypto.refresh_token import RefreshTokens
from jeton.crypto.signed_jwt import VerifiedToken
from jeton.endpoints.clients.client_authentication import AuthenticatedClient
from jeton.endpoints.messages import FormRequest, Json
from jeton.endpoints.refresh_cookies import RefreshCookies
from jeton.endpoints.token_parsing import TokenParser
from jeton.frozen import Frozen
from jeton.grants.token_failures import TokenFailures
from jeton.oauth.clients import Client
from jeton.oauth.decisions import Deny, End
from jeton.oauth.parameters import require
from jeton.oauth.revocation_rules import NOTHING_TO_REVOKE, TOKEN_UNKNOWN, revoke_access_token, revoke_family
from jeton.oauth.sessions import Source
from jeton.storage.ledger.ledger import Entry, Facts, Ledger
from jeton.storage.ledger.lock_requests import LockFamily

log = structlog.get_logger("jeton.revoke")


class RevocationEndpoint(Frozen):
    """Ends tokens for the clients that own them."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedClient]]
    tokens: TokenParser
    refresh_tokens: RefreshTokens
    token_failures: TokenFailures
    ledger: Ledger
    refresh_cookies: RefreshCookies

    async def handle(self, request: FormRequest, caller: AuthenticatedClient) -> Json:
        """End the token, and answer when that is durable. Raise OAuthError if another client owns it.

        The answer is 200 also for what is not a live token of this server: the client's aim is reached (section 2.2).
        The body is an empty JSON object, because HTTP clients fail on an empty body where they expect JSON.
        """
        client = caller.client
        if client.refresh_cookie:
            presented = self.refresh_cookies.token_to_revoke(request, client)
        else:
            presented = require(request.parameters, "token")
        decision = NOTHING_TO_REVOKE if presented is None else await self._end(presented, client, request.source)
        if isinstance(decision, Deny):
            raise decision.to_error()
        sid = decision.family.sid if decision.family else None
        log.info("token_revoked", reason=decision.reason, client_id=client.client_id, ip=request.source.ip, sid=sid)
        ends_cookie = client.refresh_cookie and "token" not in request.parameters
        return Json({}, cookies=(self.refresh_cookies.deleted(client),) if ends_cookie else ())

    async def _end(self, presented: str, client: Client, source: Source) -> End | Deny:
        token = await self.tokens.parse(presented)
        if token is None:
            return TOKEN_UNKNOWN
        if isinstance(token, VerifiedToken):
            claims = token.claims
            return await self.ledger.enter(Entry(lambda facts: revoke_access_token(claims, client, facts.now)))

        def decide(facts: Facts) -> End | Deny:
            genuine = self.refresh_tokens.is_genuine(token, facts.family)
            return revoke_family(facts.family, client, genuine=genuine, now=facts.now)

        decision = await self.ledger.enter(Entry(decide, (LockFamily(token.sid),)))
        await self.token_failures.record(decision, token, source)
        return decision
