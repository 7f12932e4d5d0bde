"""The endpoints by path, each given what it uses."""

from collections.abc import Mapping, Sequence

from jeton.bootstrap.cookie_mode import build_cookie_mode
from jeton.bootstrap.origins import client_origins, cookie_origins
from jeton.bootstrap.parts import Parts
from jeton.bootstrap.registration import build_registration
from jeton.bootstrap.token_endpoint import build_token_endpoint
from jeton.bootstrap.user_endpoints import build_user_endpoints
from jeton.config.settings import Settings
from jeton.endpoints.authorization.authorization_requests import AuthorizationRequests
from jeton.endpoints.authorization.pushed_authorization import PushedAuthorizationEndpoint
from jeton.endpoints.clients.assertion_authentication import ClientAssertions
from jeton.endpoints.clients.client_authentication import ClientAuthentication
from jeton.endpoints.id_token_hints import IdTokenHints
from jeton.endpoints.introspection import IntrospectionEndpoint
from jeton.endpoints.refresh_cookies import RefreshCookies
from jeton.endpoints.revocation import RevocationEndpoint
from jeton.endpoints.token_parsing import TokenParser
from jeton.frozen import replace
from jeton.grants.description import Grant
from jeton.http.method_router import MethodRouter, Operation
from jeton.oauth.client_assertions import AssertionAudiences
from jeton.oauth.metadata import INTROSPECTION_PATH, PAR_PATH, REVOCATION_PATH, TOKEN_PATH


def build_endpoints(settings: Settings, parts: Parts, grants: Sequence[Grant]) -> Mapping[str, MethodRouter]:
    """Return the endpoints by path; the token endpoint offers these grants."""
    tokens = token_parser(settings, parts)
    authenticate = _client_authentication(settings, parts)
    revocation = _revocation(settings, parts, authenticate, tokens)
    token = build_token_endpoint(settings, parts, authenticate, grants)
    push = _pushed_authorization(settings, parts, authenticate)
    introspection = _introspection(settings, parts, authenticate, tokens)
    origins, with_cookies, nonce = client_origins(settings, parts), cookie_origins(parts), parts.dpop.nonce
    return {
        TOKEN_PATH: MethodRouter({"POST": Operation(token)}, origins, with_cookies, nonce),
        PAR_PATH: MethodRouter({"POST": Operation(push)}, origins, dpop_nonce=nonce),
        REVOCATION_PATH: MethodRouter({"POST": Operation(revocation)}, origins, with_cookies),
        # Not for pages: it takes a secret.
        INTROSPECTION_PATH: MethodRouter({"POST": Operation(introspection)}),
        **build_cookie_mode(settings, parts, authenticate, revocation),
        **build_user_endpoints(settings, parts, tokens),
        **build_registration(settings, parts),
    }


def token_parser(settings: Settings, parts: Parts) -> TokenParser:
    """Return what recognizes and verifies presented tokens."""
    return TokenParser(settings.server.issuer, parts.keyring, parts.background.keys.reload)


def build_authorization_requests(settings: Settings, parts: Parts) -> AuthorizationRequests:
    """Return what validates authorization requests."""
    issuer, lookups = settings.server.issuer, parts.storage.lookups
    hints = IdTokenHints(token_parser(settings, parts))
    return AuthorizationRequests(
        issuer, settings.tokens.default_audience, lookups, hints.subject, lambda: parts.keyring.id_token_algorithms
    )


def _client_authentication(settings: Settings, parts: Parts) -> ClientAuthentication:
    issuer = settings.server.issuer
    assertions = ClientAssertions(
        AssertionAudiences(issuer, issuer.rstrip("/") + TOKEN_PATH),
        parts.client_key_sets,
        parts.storage.replay_store,
        parts.clock,
    )
    return ClientAuthentication(parts.clients, parts.request_limits, assertions, parts.client_certificates, parts.clock)


def _pushed_authorization(
    settings: Settings, parts: Parts, authenticate: ClientAuthentication
) -> PushedAuthorizationEndpoint:
    return PushedAuthorizationEndpoint(
        replace(authenticate, before_consent=True),
        build_authorization_requests(settings, parts),
        parts.sealed_requests,
        parts.request_limits,
        parts.dpop,
        parts.clock,
    )


def _revocation(
    settings: Settings, parts: Parts, authenticate: ClientAuthentication, tokens: TokenParser
) -> RevocationEndpoint:
    return RevocationEndpoint(
        authenticate,
        tokens,
        parts.refresh_tokens,
        parts.token_failures,
        parts.storage.ledger,
        RefreshCookies(settings.server.issuer),
    )


def _introspection(
    settings: Settings, parts: Parts, authenticate: ClientAuthentication, tokens: TokenParser
) -> IntrospectionEndpoint:
    return IntrospectionEndpoint(
        authenticate,
        settings.server.issuer,
        settings.tokens.default_audience,
        tokens,
        parts.refresh_tokens,
        parts.token_failures,
        parts.storage.lookups,
        parts.clock,
    )
