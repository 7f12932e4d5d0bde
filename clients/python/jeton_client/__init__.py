"""Token sessions for apps, token verification for services, with any OAuth 2 server that keeps to the RFCs."""

from jeton_client.access_token import AccessToken
from jeton_client.asgi import BearerMiddleware
from jeton_client.client_authentication import Client
from jeton_client.errors import (
    ClientError,
    InsufficientScope,
    InvalidToken,
    LoginRequired,
    MalformedRequest,
    Refused,
    ServerAway,
    StorageUnusable,
    UntrustedServer,
    Unverifiable,
)
from jeton_client.http_auth import BearerAuth
from jeton_client.introspector import AsyncIntrospector, Introspector, Remember
from jeton_client.storage import FileStorage, MemoryStorage, Storage
from jeton_client.token_session import AsyncTokenSession, TokenSession
from jeton_client.verifier import AsyncVerifier, Verifier
from jeton_client.verifier_plans import FollowStatus

__all__ = [
    "AccessToken",
    "AsyncIntrospector",
    "AsyncTokenSession",
    "AsyncVerifier",
    "BearerAuth",
    "BearerMiddleware",
    "Client",
    "ClientError",
    "FileStorage",
    "FollowStatus",
    "InsufficientScope",
    "Introspector",
    "InvalidToken",
    "LoginRequired",
    "MalformedRequest",
    "MemoryStorage",
    "Refused",
    "Remember",
    "ServerAway",
    "Storage",
    "StorageUnusable",
    "TokenSession",
    "UntrustedServer",
    "Unverifiable",
    "Verifier",
]
