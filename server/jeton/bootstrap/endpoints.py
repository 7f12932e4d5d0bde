"""Endpoints and grants, each given what it uses, and their paths."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from jeton.bootstrap.parts import Parts
from jeton.bootstrap.registration import build_registration
from jeton.config import Settings
from jeton.endpoints.access_token_authentication import AccessTokenAuthentication
from jeton.endpoints.account import ChangePassword, ShowAccount
from jeton.endpoints.account_sessions import EndAllSessions, EndSession, ListSessions
from jeton.endpoints.authorization_requests import AuthorizationRequests
from jeton.endpoints.authorization_response import CodeIssuer
from jeton.endpoints.client_assertions import ClientAssertions
from jeton.endpoints.client_authentication import ClientAuthentication
from jeton.endpoints.cookie_sessions import EndCookieSession, ShowCookieSession
from jeton.endpoints.forward_auth import ForwardAuthEndpoint
from jeton.endpoints.id_token_hints import IdTokenHints
from jeton.endpoints.introspection import IntrospectionEndpoint
from jeton.endpoints.pushed_authorization import PushedAuthorizationEndpoint
from jeton.endpoints.refresh_cookies import RefreshCookies
from jeton.endpoints.revocation import RevocationEndpoint
from jeton.endpoints.token import EnabledGrant, TokenEndpoint
from jeton.endpoints.token_issuing import TokenIssuer
from jeton.endpoints.token_parsing import TokenParser
from jeton.endpoints.userinfo import UserinfoEndpoint
from jeton.grants.description import Grant, GrantParts
from jeton.http.account_routes import (
    ACCOUNT_PATH,
    PASSWORD_PATH,
    SESSION_PATH,
    SESSIONS_PATH,
    read_account_request,
    read_userinfo_request,
)
from jeton.http.cookie_mode_requests import read_cookie_request
from jeton.http.resource import Operation, Origins, Resource
from jeton.oauth.client_assertions import AssertionAudiences
from jeton.oauth.clients import Lifetimes
from jeton.oauth.cookie_mode import COOKIE_LOGOUT_PATH, COOKIE_SESSION_PATH, FORWARD_AUTH_PATH
from jeton.oauth.discovery import USERINFO_PATH
from jeton.oauth.id_token import OPENID
from jeton.oauth.metadata import INTROSPECTION_PATH, PAR_PATH, REVOCATION_PATH, TOKEN_PATH


def enabled_grants(settings: Settings, grants: Sequence[Grant]) -> tuple[Grant, ...]:
    """Return the grants that the settings do not switch off."""
    return tuple(it for it in grants if it.setting is None or getattr(settings.grants, it.setting))


def build_resources(settings: Settings, parts: Parts, grants: Sequence[Grant]) -> Mapping[str, Resource]:
    """Return the resources by path; the token endpoint offers these grants."""
    tokens = TokenParser(settings.server.issuer, parts.keyring, parts.maintenance.reload_keys)
    return {
        **_client_resources(settings, parts, tokens, grants),
        **_account_resources(settings, parts, tokens),
        USERINFO_PATH: _userinfo(settings, parts, tokens),
        **build_registration(settings, parts),
    }


def _client_resources(
    settings: Settings, parts: Parts, tokens: TokenParser, grants: Sequence[Grant]
) -> dict[str, Resource]:
    """Return what clients use. Pages may not introspect: that takes a secret."""
    refresh_cookies = RefreshCookies(settings.server.issuer)
    authenticate = _client_authentication(settings, parts)
    revocation = RevocationEndpoint(
        authenticate,
        tokens,
        parts.refresh_tokens,
        parts.missing_master_keys,
        parts.request_limits,
        parts.ledger,
        refresh_cookies,
    )
    introspection = IntrospectionEndpoint(
        authenticate,
        settings.server.issuer,
        settings.tokens.default_audience,
        tokens,
        parts.refresh_tokens,
        parts.missing_master_keys,
        parts.request_limits,
        parts.lookups,
        parts.clock,
    )
    token = _token_endpoint(settings, parts, authenticate, grants)
    push = PushedAuthorizationEndpoint(
        replace(authenticate, before_consent=True),
        build_authorization_requests(settings, parts),
        parts.sealed_requests,
        parts.request_limits,
        parts.dpop,
        parts.clock,
    )

    origins = client_origins(settings, parts)

    def cookie_origins() -> frozenset[str]:
        return parts.maintenance.client_capabilities.cookie_origins

    session = ShowCookieSession(authenticate, refresh_cookies, parts.refresh_tokens, parts.lookups, parts.clock)
    log_out = EndCookieSession(authenticate, revocation)
    return {
        TOKEN_PATH: Resource({"POST": Operation(token)}, origins, cookie_origins, parts.dpop.nonce),
        PAR_PATH: Resource({"POST": Operation(push)}, origins, dpop_nonce=parts.dpop.nonce),
        REVOCATION_PATH: Resource({"POST": Operation(revocation)}, origins, cookie_origins),
        INTROSPECTION_PATH: Resource({"POST": Operation(introspection)}),
        COOKIE_SESSION_PATH: Resource({"GET": Operation(session, read_cookie_request)}, cookie_origins, cookie_origins),
        COOKIE_LOGOUT_PATH: Resource({"POST": Operation(log_out)}, cookie_origins, cookie_origins),
        FORWARD_AUTH_PATH: Resource(
            {"GET": Operation(_forward_auth(settings, parts, authenticate), read_cookie_request)}
        ),
    }


def _forward_auth(settings: Settings, parts: Parts, authenticate: ClientAuthentication) -> ForwardAuthEndpoint:
    return ForwardAuthEndpoint(
        authenticate,
        RefreshCookies(settings.server.issuer),
        parts.refresh_tokens,
        parts.missing_master_keys,
        parts.lookups,
        parts.ledger,
        _lifetimes(settings),
        parts.keyring,
        _token_issuer(settings, parts),
        parts.clock,
    )


def _token_issuer(settings: Settings, parts: Parts) -> TokenIssuer:
    return TokenIssuer(settings.server.issuer, settings.tokens.status_list, parts.keyring, parts.refresh_tokens)


def _client_authentication(settings: Settings, parts: Parts) -> ClientAuthentication:
    issuer = settings.server.issuer
    assertions = ClientAssertions(
        AssertionAudiences(issuer, issuer.rstrip("/") + TOKEN_PATH),
        parts.client_key_sets,
        parts.replay_store,
        parts.clock,
    )
    return ClientAuthentication(parts.clients, parts.request_limits, assertions, parts.client_certificates, parts.clock)


def _token_endpoint(
    settings: Settings, parts: Parts, authenticate: ClientAuthentication, grants: Sequence[Grant]
) -> TokenEndpoint:
    tokens = settings.tokens
    grant_parts = GrantParts(
        parts.master_key_id,
        parts.clock,
        parts.ledger,
        parts.replay_store,
        parts.lookups,
        parts.login,
        parts.status_indexes,
        parts.authorization_codes,
        parts.refresh_tokens,
        parts.missing_master_keys,
        parts.request_limits,
    )
    return TokenEndpoint(
        authenticate,
        {it.name: EnabledGrant(it, it.build(grant_parts)) for it in grants},
        tokens.default_audience,
        _lifetimes(settings),
        _token_issuer(settings, parts),
        parts.request_limits,
        parts.lookups,
        RefreshCookies(settings.server.issuer),
        parts.dpop,
        parts.replay_store,
        parts.client_certificates,
    )


def build_authorization_requests(settings: Settings, parts: Parts) -> AuthorizationRequests:
    """Return what validates authorization requests."""
    hints = IdTokenHints(settings.server.issuer, parts.keyring, parts.maintenance.reload_keys)
    return AuthorizationRequests(parts.lookups, hints.subject, lambda: parts.keyring.id_token_algorithms)


def build_code_issuer(settings: Settings, parts: Parts) -> CodeIssuer:
    """Return what issues authorization codes to users who are signed in."""
    return CodeIssuer(
        parts.ledger,
        parts.status_indexes,
        parts.authorization_codes,
        parts.master_key_id,
        _lifetimes(settings),
        settings.tokens.default_audience,
    )


def client_origins(settings: Settings, parts: Parts) -> Origins:
    """Return what returns the origins whose pages may be clients: all, if every program may register itself."""
    is_open = settings.registration.dynamic == "open"
    return lambda: None if is_open else parts.maintenance.client_capabilities.origins


def _lifetimes(settings: Settings) -> Lifetimes:
    tokens = settings.tokens
    return Lifetimes(
        tokens.access_seconds,
        tokens.refresh_idle_seconds,
        tokens.refresh_absolute_seconds,
        tokens.retry_grace_seconds,
        settings.limits.refresh_spacing_seconds,
    )


def _userinfo(settings: Settings, parts: Parts, tokens: TokenParser) -> Resource:
    """Return what clients learn of users by access tokens with the scope `openid`."""
    authenticate = _user_authentication(settings, parts, tokens, USERINFO_PATH)
    authenticate = replace(authenticate, required_scope=OPENID, form_token=True)
    operation = Operation(UserinfoEndpoint(authenticate), read_userinfo_request)
    resource = _user_resource(parts, {"GET": operation, "POST": operation})
    return replace(resource, origins=client_origins(settings, parts))


def _user_authentication(settings: Settings, parts: Parts, tokens: TokenParser, path: str) -> AccessTokenAuthentication:
    issuer, dpop = settings.server.issuer, parts.dpop_at_resources
    store, certificates = parts.replay_store, parts.client_certificates
    return AccessTokenAuthentication(issuer, path, tokens, dpop, store, certificates, parts.lookups, parts.clock)


def _user_resource(parts: Parts, operations: Mapping[str, Operation]) -> Resource:
    """Return a resource that takes a user's access token."""

    def origins() -> frozenset[str]:
        return parts.maintenance.client_capabilities.origins

    return Resource(operations, origins, dpop_nonce=parts.dpop_at_resources.nonce)


def _account_resources(settings: Settings, parts: Parts, tokens: TokenParser) -> dict[str, Resource]:
    """Return what users do with their own access tokens."""

    def at(path: str) -> AccessTokenAuthentication:
        return _user_authentication(settings, parts, tokens, path)

    read = read_account_request()
    operations = {
        ACCOUNT_PATH: {"GET": Operation(ShowAccount(at(ACCOUNT_PATH)), read)},
        PASSWORD_PATH: {"POST": Operation(ChangePassword(at(PASSWORD_PATH), parts.password_change), read)},
        SESSIONS_PATH: {
            "GET": Operation(ListSessions(at(SESSIONS_PATH), parts.lookups), read),
            "DELETE": Operation(EndAllSessions(at(SESSIONS_PATH), parts.ledger), read_account_request("keep_current")),
        },
        SESSION_PATH: {"DELETE": Operation(EndSession(at(SESSION_PATH), parts.ledger), read)},
    }
    return {path: _user_resource(parts, it) for path, it in operations.items()}
