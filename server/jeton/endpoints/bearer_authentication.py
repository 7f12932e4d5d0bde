"""Authentication by access token (RFC 6750, RFC 9068 section 4): a user, through a client."""

from dataclasses import dataclass, replace

from jeton.endpoints.messages import FormRequest
from jeton.endpoints.token_parsing import TokenParser
from jeton.oauth.clients import Client
from jeton.oauth.errors import (
    OAuthError,
    insufficient_scope,
    invalid_access_token,
    malformed_bearer_request,
    missing_access_token,
)
from jeton.oauth.introspection_rules import introspect_access_token
from jeton.oauth.protected_resource import resource_metadata_url
from jeton.oauth.scope import Scope, parse_scope
from jeton.oauth.self_service import ACCOUNT_SCOPE
from jeton.oauth.users import User
from jeton.storage.clock import Clock
from jeton.storage.lookups import Lookups, TokenSubject


@dataclass(frozen=True, slots=True)
class AuthenticatedUser:
    """A user, and the client and session through which the request comes, as they are now.

    `scope` is that of the access token, as far as the client still has it.
    """

    user: User
    client: Client
    sid: str
    scope: Scope = frozenset()


@dataclass(frozen=True, slots=True)
class BearerAuthentication:
    """Authenticates the user of a request to an API of this server, for which the token needs `required_scope`.

    `form_token` says that the token may be sent in the form instead of the header (RFC 6750 section 2.2).
    """

    issuer: str
    tokens: TokenParser
    lookups: Lookups
    clock: Clock
    required_scope: str = ACCOUNT_SCOPE
    form_token: bool = False

    async def __call__(self, request: FormRequest) -> AuthenticatedUser:
        """Return the user. Raise OAuthError unless the access token is one that introspection calls active.

        It must also name this server in its audience, belong to a user's session and hold the scope. The challenge of
        every refusal says where the metadata of this API are (RFC 9728 section 5.1).
        """
        try:
            return await self._authenticated(request)
        except OAuthError as refused:
            if refused.challenge is not None:
                refused.challenge = replace(refused.challenge, resource_metadata=resource_metadata_url(self.issuer))
            raise

    async def _authenticated(self, request: FormRequest) -> AuthenticatedUser:
        token = await self.tokens.verify_access_token(self._presented(request))
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
        scope = parse_scope(active["scope"]) if "scope" in active else frozenset[str]()
        if self.required_scope not in scope:
            raise insufficient_scope(f"scope_without_{self.required_scope}", self.required_scope)
        return AuthenticatedUser(facts.user, facts.client, facts.family.sid, scope)

    def _presented(self, request: FormRequest) -> str:
        """Return the token. It must be sent in one way only (RFC 6750 section 2)."""
        in_form = request.parameters.get("access_token")
        if in_form is not None:
            if not self.form_token or request.authorization is not None:
                raise malformed_bearer_request("Send the access token in the Authorization header only.")
            return in_form
        scheme, _, token = (request.authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            raise missing_access_token()
        return token.strip(" ")
