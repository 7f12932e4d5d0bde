"""The session endpoint of pages in cookie mode: GET /oauth/session, POST /oauth/session/logout (RFC 10017 6.1.2.4)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from jeton.crypto.refresh_token import RefreshTokens, parse_refresh_token
from jeton.endpoints.clients.client_authentication import AuthenticatedClient
from jeton.endpoints.messages import FormRequest, Json
from jeton.endpoints.refresh_cookies import RefreshCookies
from jeton.endpoints.revocation import RevocationEndpoint
from jeton.frozen import Frozen, replace
from jeton.grants.request_limits import RequestLimits
from jeton.oauth.clients import Client
from jeton.oauth.cookie_mode import has_live_session
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.scope import format_scope
from jeton.oauth.sessions import Source
from jeton.oauth.userinfo import userinfo_claims
from jeton.storage.clock import Clock
from jeton.storage.lookups import Lookups, TokenSubject

_SIGNED_OUT: Final[Mapping[str, Any]] = {"signed_in": False}


def require_cookie_mode(client: Client) -> None:
    """Raise OAuthError unless the client is in cookie mode."""
    if not client.refresh_cookie:
        raise OAuthError(ErrorCode.UNAUTHORIZED_CLIENT, "client_not_in_cookie_mode")


class ShowCookieSession(Frozen):
    """Tells a page who is signed in, and until when. Nothing is changed, and no token is shown."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedClient]]
    refresh_cookies: RefreshCookies
    refresh_tokens: RefreshTokens
    request_limits: RequestLimits
    lookups: Lookups
    clock: Clock

    async def handle(self, request: FormRequest, caller: AuthenticatedClient) -> Json:
        """Return `signed_in`, and if it is true the claims about the user that the scope covers, `scope` and
        `expires_at`: when the session ends if it is not used, in seconds since the epoch."""
        client = caller.client
        require_cookie_mode(client)
        return Json(await self._session(self.refresh_cookies.presented(request, client), client, request.source))

    async def _session(self, presented: str | None, client: Client, source: Source) -> Mapping[str, Any]:
        token = None if presented is None else parse_refresh_token(presented)
        if token is None:
            return _SIGNED_OUT
        context, now = await self.lookups.token_context(TokenSubject(sid=token.sid)), self.clock.now()
        family, user = context.family, context.user
        genuine = self.refresh_tokens.is_genuine(token, family)
        if family is None or genuine is False:
            await self.request_limits.count_unknown_token(source)
        if family is None or user is None:
            return _SIGNED_OUT
        if not has_live_session(family, user, client, token.generation, genuine=genuine, now=now):
            return _SIGNED_OUT
        scope = family.scope & client.scope
        return {
            "signed_in": True,
            **userinfo_claims(user, scope),
            "scope": format_scope(scope),
            "expires_at": family.expires_at,
        }


class EndCookieSession(Frozen):
    """Signs the user out of one client in this browser: ends the session, and deletes the cookie."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedClient]]
    revocation: RevocationEndpoint

    async def handle(self, request: FormRequest, caller: AuthenticatedClient) -> Json:
        """Answer when the session has ended, also if there was none any more."""
        require_cookie_mode(caller.client)
        parameters = {name: it for name, it in request.parameters.items() if name != "token"}
        return await self.revocation.handle(replace(request, parameters=parameters), caller)
