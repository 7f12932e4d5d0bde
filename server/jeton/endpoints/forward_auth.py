"""Forward authentication: GET /oauth/forward-auth, for the web server in front of a page's API.

The web server asks here before it forwards a request (nginx `auth_request`, forward authentication of Traefik and
Caddy), and adds the access token of the answer. The page then has no token at all (RFC 10017 section 6.1).
"""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from jeton.crypto.refresh_token import PresentedRefreshToken, RefreshTokens, parse_refresh_token
from jeton.endpoints.clients.client_authentication import AuthenticatedClient
from jeton.endpoints.cookie_sessions import require_cookie_mode
from jeton.endpoints.messages import FormRequest, ForwardedToken
from jeton.endpoints.refresh_cookies import RefreshCookies
from jeton.endpoints.token_issuing import TokenIssuer
from jeton.frozen import Frozen, field
from jeton.grants.token_failures import TokenFailures
from jeton.keys.keyring import Keyring
from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.decisions import MASTER_KEY_MISSING, Deny, Issue
from jeton.oauth.errors import invalid_access_token
from jeton.oauth.forward_auth_rules import decide
from jeton.oauth.sessions import Family, Source
from jeton.oauth.users import User
from jeton.storage.clock import Clock
from jeton.storage.ledger.ledger import Entry, Ledger
from jeton.storage.ledger.lock_requests import LockFamily
from jeton.storage.lookups import Lookups, TokenSubject

# A token is used until this number of seconds before it expires, so that the API has time to see it as valid.
_SPARE_SECONDS: Final = 30
_MAX_KEPT: Final = 10_000

log = structlog.get_logger("jeton.forward_auth")


class ForwardedTokens:
    """The access tokens that were issued for sessions, by sid and generation; the oldest are dropped first."""

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, int], tuple[str, int]] = {}

    def find(self, sid: str, generation: int, now: int) -> str | None:
        """Return the token if it is good for some time yet."""
        token, expires_at = self._tokens.get((sid, generation), ("", 0))
        return token if expires_at - _SPARE_SECONDS > now else None

    def keep(self, sid: str, generation: int, token: str, expires_at: int) -> None:
        self._tokens.pop((sid, generation), None)
        while len(self._tokens) >= _MAX_KEPT:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[sid, generation] = (token, expires_at)


class ForwardAuthEndpoint(Frozen):
    """Answers an access token for the session of the cookie."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedClient]]
    refresh_cookies: RefreshCookies
    refresh_tokens: RefreshTokens
    token_failures: TokenFailures
    lookups: Lookups
    ledger: Ledger
    lifetimes: Lifetimes
    keyring: Keyring
    tokens: TokenIssuer
    clock: Clock
    kept: ForwardedTokens = field(default_factory=ForwardedTokens)

    async def handle(self, request: FormRequest, caller: AuthenticatedClient) -> ForwardedToken:
        """Return the token to forward the request with. Raise OAuthError if it must not be forwarded.

        A navigation passes without a token: any site may cause one, and its answer is a page of the web server.
        """
        client, initiator = caller.client, request.initiator
        require_cookie_mode(client)
        if initiator.navigates:
            return ForwardedToken(None)
        if initiator.header is None:
            raise invalid_access_token("refresh_cookie_missing")
        presented = self.refresh_cookies.presented(request, client)
        token = None if presented is None else parse_refresh_token(presented)
        if token is None:
            raise invalid_access_token("refresh_cookie_missing")
        return ForwardedToken(
            await self._kept(token, client, request.source) or await self._issued(token, client, request.source)
        )

    async def _kept(self, token: PresentedRefreshToken, client: Client, source: Source) -> str | None:
        """Return the token that was issued before, if the session still allows it, and its key is not revoked."""
        kept = self.kept.find(token.sid, token.generation, self.clock.now())
        if kept is None or self.keyring.verifier.lacks_key_of(kept):
            return None
        context = await self.lookups.token_context(TokenSubject(sid=token.sid))
        now = self.clock.now()
        decision = self._decide(token, context.client or client, context.family, context.user, source, now)
        return kept if isinstance(decision, Issue) else None

    async def _issued(self, token: PresentedRefreshToken, client: Client, source: Source) -> str:
        """Return a new token. Raise OAuthError if the session does not allow it.

        A refresh token that was never issued counts against the address, as at the token endpoint.
        """
        signer = self.keyring.signer
        lifetimes = self.lifetimes.with_overrides(client.lifetimes)
        decision = await self.ledger.enter(
            Entry(
                lambda facts: self._decide(token, facts.client or client, facts.family, facts.user, source, facts.now),
                (LockFamily(token.sid),),
            )
        )
        await self.token_failures.record(decision, token, source)
        if decision == MASTER_KEY_MISSING:
            raise MASTER_KEY_MISSING.to_error()
        if isinstance(decision, Deny):
            raise invalid_access_token(decision.reason)
        access_token, claims = await self.tokens.access_token(decision, signer, lifetimes.access_seconds)
        self.kept.keep(token.sid, token.generation, access_token, claims["exp"])
        log.info("token_forwarded", client_id=client.client_id, sub=claims["sub"], sid=token.sid)
        return access_token

    def _decide(
        self,
        token: PresentedRefreshToken,
        client: Client,
        family: Family | None,
        user: User | None,
        source: Source,
        now: int,
    ) -> Issue | Deny:
        genuine = self.refresh_tokens.is_genuine(token, family)
        lifetimes = self.lifetimes.with_overrides(client.lifetimes)
        return decide(
            family, user, client, token.generation, genuine=genuine, lifetimes=lifetimes, source=source, now=now
        )
