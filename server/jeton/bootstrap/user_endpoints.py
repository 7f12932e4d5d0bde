"""What users reach with their own access tokens: userinfo and self-service."""

from collections.abc import Mapping

from jeton.bootstrap.origins import client_origins, registered_origins
from jeton.bootstrap.parts import Parts
from jeton.config.settings import Settings
from jeton.endpoints.access_token_authentication import AccessTokenAuthentication
from jeton.endpoints.self_service import ChangePassword, ShowAccount
from jeton.endpoints.self_service_sessions import EndAllSessions, EndSession, ListSessions
from jeton.endpoints.token_parsing import TokenParser
from jeton.endpoints.userinfo import UserinfoEndpoint
from jeton.frozen import replace
from jeton.http.method_router import MethodRouter, Operation
from jeton.http.self_service_requests import (
    ACCOUNT_PATH,
    PASSWORD_PATH,
    SESSION_PATH,
    SESSIONS_PATH,
    read_self_service_request,
    read_userinfo_request,
)
from jeton.oauth.discovery import USERINFO_PATH
from jeton.oauth.id_token import OPENID


def build_user_endpoints(settings: Settings, parts: Parts, tokens: TokenParser) -> dict[str, MethodRouter]:
    """Return the endpoints by path."""
    return {**_self_service(settings, parts, tokens), USERINFO_PATH: _userinfo(settings, parts, tokens)}


def _userinfo(settings: Settings, parts: Parts, tokens: TokenParser) -> MethodRouter:
    """Return what clients learn of users by access tokens with the scope `openid`."""
    authenticate = _user_authentication(settings, parts, tokens, USERINFO_PATH)
    authenticate = replace(authenticate, required_scope=OPENID, form_token=True)
    operation = Operation(UserinfoEndpoint(authenticate), read_userinfo_request)
    endpoint = _user_endpoint(parts, {"GET": operation, "POST": operation})
    return replace(endpoint, origins=client_origins(settings, parts))


def _self_service(settings: Settings, parts: Parts, tokens: TokenParser) -> dict[str, MethodRouter]:
    """Return what users do with their own access tokens."""

    def at(path: str) -> AccessTokenAuthentication:
        return _user_authentication(settings, parts, tokens, path)

    read, ledger = read_self_service_request(), parts.storage.ledger
    operations = {
        ACCOUNT_PATH: {"GET": Operation(ShowAccount(at(ACCOUNT_PATH)), read)},
        PASSWORD_PATH: {"POST": Operation(ChangePassword(at(PASSWORD_PATH), parts.logins.password_change), read)},
        SESSIONS_PATH: {
            "GET": Operation(ListSessions(at(SESSIONS_PATH), parts.storage.lookups), read),
            "DELETE": Operation(EndAllSessions(at(SESSIONS_PATH), ledger), read_self_service_request("keep_current")),
        },
        SESSION_PATH: {"DELETE": Operation(EndSession(at(SESSION_PATH), ledger), read)},
    }
    return {path: _user_endpoint(parts, it) for path, it in operations.items()}


def _user_authentication(settings: Settings, parts: Parts, tokens: TokenParser, path: str) -> AccessTokenAuthentication:
    issuer, dpop = settings.server.issuer, parts.dpop_at_resources
    store, lookups, certificates = parts.storage.replay_store, parts.storage.lookups, parts.client_certificates
    return AccessTokenAuthentication(issuer, path, tokens, dpop, store, certificates, lookups, parts.clock)


def _user_endpoint(parts: Parts, operations: Mapping[str, Operation]) -> MethodRouter:
    """Return an endpoint that takes a user's access token."""
    return MethodRouter(operations, registered_origins(parts), dpop_nonce=parts.dpop_at_resources.nonce)
