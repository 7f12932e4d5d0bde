"""Authentication by access token (RFC 6750, RFC 9068 section 4): a user, through a client with the scope `account`."""

from dataclasses import dataclass

from jeton.endpoints.messages import FormRequest
from jeton.endpoints.token_parsing import TokenParser
from jeton.oauth.clients import Client
from jeton.oauth.errors import (
    insufficient_scope,
    invalid_access_token,
    malformed_bearer_request,
    missing_access_token,
)
from jeton.oauth.introspection_rules import introspect_access_token
from jeton.oauth.scope import parse_scope
from jeton.oauth.self_service import ACCOUNT_SCOPE
from jeton.oauth.users import User
from jeton.storage.clock import Clock
from jeton.storage.lookups import Lookups, TokenSubject


@dataclass(frozen=True, slots=True)
class AuthenticatedUser:
    """A user, and the client and session through which the request comes, as they are now."""

    user: User
    client: Client
    sid: str


@dataclass(frozen=True, slots=True)
class BearerAuthentication:
    """Authenticates the user of a request to the self-service API."""

    issuer: str
    tokens: TokenParser
    lookups: Lookups
    clock: Clock

    async def __call__(self, request: FormRequest) -> AuthenticatedUser:
        """Return the user. Raise OAuthError unless the access token is one that introspection calls active.

        It must also name this server in its audience, belong to a user's session and hold the scope.
        """
        token = await self.tokens.verify_access_token(_presented(request))
        if token is None:
            raise invalid_access_token("access_token_unknown")
        claims = token.claims
        # A service that is shown tokens of its own users must not be able to use them here.
        if self.issuer not in (claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]):
            raise invalid_access_token("access_token_for_others")
        subject = TokenSubject(claims["client_id"], claims["sub"], claims.get("sid"), claims["jti"], token.kid)
        facts = await self.lookups.token_context(subject)
        if facts.client is None or facts.user is None or facts.family is None:
            raise invalid_access_token("access_token_not_a_users")
        active = introspect_access_token(claims, facts, facts.client, (), self.clock.now())
        if not active["active"]:
            raise invalid_access_token("access_token_not_active")
        if "scope" not in active or ACCOUNT_SCOPE not in parse_scope(active["scope"]):
            raise insufficient_scope("scope_without_account", ACCOUNT_SCOPE)
        return AuthenticatedUser(facts.user, facts.client, facts.family.sid)


def _presented(request: FormRequest) -> str:
    """Return the token of the Authorization header, the only way to send it here (RFC 6750 section 2)."""
    if "access_token" in request.parameters:
        raise malformed_bearer_request("Send the access token in the Authorization header only.")
    scheme, _, token = (request.authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        raise missing_access_token()
    return token.strip(" ")
