"""The endpoints of pages in cookie mode, and forward authentication for the web servers in front of their APIs."""

from jeton.bootstrap.origins import cookie_origins
from jeton.bootstrap.parts import Parts
from jeton.bootstrap.token_endpoint import build_token_issuer, configured_lifetimes
from jeton.config.settings import Settings
from jeton.endpoints.clients.client_authentication import ClientAuthentication
from jeton.endpoints.cookie_sessions import EndCookieSession, ShowCookieSession
from jeton.endpoints.forward_auth import ForwardAuthEndpoint
from jeton.endpoints.refresh_cookies import RefreshCookies
from jeton.endpoints.revocation import RevocationEndpoint
from jeton.http.cookie_mode_requests import read_cookie_request
from jeton.http.method_router import MethodRouter, Operation
from jeton.oauth.cookie_mode import COOKIE_LOGOUT_PATH, COOKIE_SESSION_PATH, FORWARD_AUTH_PATH


def build_cookie_mode(
    settings: Settings, parts: Parts, authenticate: ClientAuthentication, revocation: RevocationEndpoint
) -> dict[str, MethodRouter]:
    """Return the endpoints by path."""
    origins = cookie_origins(parts)
    show = ShowCookieSession(
        authenticate,
        RefreshCookies(settings.server.issuer),
        parts.refresh_tokens,
        parts.request_limits,
        parts.storage.lookups,
        parts.clock,
    )
    end = EndCookieSession(authenticate, revocation)
    forward = _forward_auth(settings, parts, authenticate)
    return {
        COOKIE_SESSION_PATH: MethodRouter({"GET": Operation(show, read_cookie_request)}, origins, origins),
        COOKIE_LOGOUT_PATH: MethodRouter({"POST": Operation(end)}, origins, origins),
        FORWARD_AUTH_PATH: MethodRouter({"GET": Operation(forward, read_cookie_request)}),
    }


def _forward_auth(settings: Settings, parts: Parts, authenticate: ClientAuthentication) -> ForwardAuthEndpoint:
    return ForwardAuthEndpoint(
        authenticate,
        RefreshCookies(settings.server.issuer),
        parts.refresh_tokens,
        parts.token_failures,
        parts.storage.lookups,
        parts.storage.ledger,
        configured_lifetimes(settings),
        parts.keyring,
        build_token_issuer(settings, parts),
        parts.clock,
    )
