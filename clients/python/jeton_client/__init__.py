"""Sessions for apps and token verification for services, with any standard OAuth 2 server."""

from jeton_client.access_token import AccessToken
from jeton_client.asgi import BearerMiddleware
from jeton_client.authorization_request import AuthorizationRequest, PendingAuthorization
from jeton_client.callback import check_logout_callback
from jeton_client.client_authentication import Client
from jeton_client.client_key import ClientKey
from jeton_client.dpop import DPoP
from jeton_client.dpop_nonces import DPoPNonces
from jeton_client.errors import (
    AccessDeniedError,
    ClientError,
    InsufficientScopeError,
    InteractionRequiredError,
    InvalidCallbackError,
    InvalidProofError,
    InvalidTokenError,
    LoginRequiredError,
    MalformedRequestError,
    NonceRequiredError,
    RefusedError,
    ServerUnavailableError,
    StorageUnusableError,
    UntrustedServerError,
    VerificationUnavailableError,
)
from jeton_client.http_auth import BearerAuth
from jeton_client.id_token import IdToken, LogoutToken
from jeton_client.id_token_verifier import AsyncIdTokenVerifier, IdTokenVerifier
from jeton_client.introspector import AsyncIntrospector, CacheLimits, Introspector
from jeton_client.loopback_login import log_in_by_browser
from jeton_client.protected_resource import ProtectedResource
from jeton_client.storage import FileStorage, MemoryStorage, Storage
from jeton_client.token_answers import Tokens
from jeton_client.token_session import AsyncTokenSession, TokenSession
from jeton_client.used_proofs import MemoryUsedProofs, UsedProofs
from jeton_client.verifier import AsyncVerifier, Verifier
from jeton_client.verifier_operations import StatusPolling

__all__ = [
    "AccessDeniedError",
    "AccessToken",
    "AsyncIdTokenVerifier",
    "AsyncIntrospector",
    "AsyncTokenSession",
    "AsyncVerifier",
    "AuthorizationRequest",
    "BearerAuth",
    "BearerMiddleware",
    "CacheLimits",
    "Client",
    "ClientError",
    "ClientKey",
    "DPoP",
    "DPoPNonces",
    "FileStorage",
    "IdToken",
    "IdTokenVerifier",
    "InsufficientScopeError",
    "InteractionRequiredError",
    "Introspector",
    "InvalidCallbackError",
    "InvalidProofError",
    "InvalidTokenError",
    "LoginRequiredError",
    "LogoutToken",
    "MalformedRequestError",
    "MemoryStorage",
    "MemoryUsedProofs",
    "NonceRequiredError",
    "PendingAuthorization",
    "ProtectedResource",
    "RefusedError",
    "ServerUnavailableError",
    "StatusPolling",
    "Storage",
    "StorageUnusableError",
    "TokenSession",
    "Tokens",
    "UntrustedServerError",
    "UsedProofs",
    "VerificationUnavailableError",
    "Verifier",
    "check_logout_callback",
    "log_in_by_browser",
]
