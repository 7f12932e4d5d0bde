"""Sessions for apps and token verification for services, with any standard OAuth 2 server."""

from jeton_client.access_token import AccessToken
from jeton_client.asgi import BearerMiddleware
from jeton_client.client_authentication import Client
from jeton_client.errors import (
    ClientError,
    InsufficientScopeError,
    InvalidTokenError,
    LoginRequiredError,
    MalformedRequestError,
    RefusedError,
    ServerUnavailableError,
    StorageUnusableError,
    UntrustedServerError,
    VerificationUnavailableError,
)
from jeton_client.http_auth import BearerAuth
from jeton_client.introspector import AsyncIntrospector, CacheLimits, Introspector
from jeton_client.storage import FileStorage, MemoryStorage, Storage
from jeton_client.token_session import AsyncTokenSession, TokenSession
from jeton_client.verifier import AsyncVerifier, Verifier
from jeton_client.verifier_operations import StatusPolling

__all__ = [
    "AccessToken",
    "AsyncIntrospector",
    "AsyncTokenSession",
    "AsyncVerifier",
    "BearerAuth",
    "BearerMiddleware",
    "CacheLimits",
    "Client",
    "ClientError",
    "FileStorage",
    "InsufficientScopeError",
    "Introspector",
    "InvalidTokenError",
    "LoginRequiredError",
    "MalformedRequestError",
    "MemoryStorage",
    "RefusedError",
    "ServerUnavailableError",
    "StatusPolling",
    "Storage",
    "StorageUnusableError",
    "TokenSession",
    "UntrustedServerError",
    "VerificationUnavailableError",
    "Verifier",
]
