"""Who may enter by an access token (RFC 6750, RFC 9068 section 4): a user, through a client that has the scope."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jeton.endpoints.messages import Answer, FormRequest
from jeton.endpoints.token_parsing import verified_access_token
from jeton.grants.services import Services
from jeton.oauth.clients import Client
from jeton.oauth.errors import AccessTokenError, ErrorCode, OAuthError
from jeton.oauth.introspection_rules import introspect_access_token
from jeton.oauth.scope import parse_scope
from jeton.oauth.self_service import ACCOUNT_SCOPE
from jeton.oauth.users import User
from jeton.storage.lookups import TokenSubject


@dataclass(frozen=True, slots=True)
class Bearer:
    """The user, and the client and session through which the user asks, as they are now."""

    user: User
    client: Client
    sid: str


Operation = Callable[[FormRequest, Bearer, Services], Awaitable[Mapping[str, Any]]]


def for_bearer(operation: Operation) -> Callable[[FormRequest, Services], Awaitable[Answer]]:
    """The endpoint that does this for whoever shows a user's access token with the scope `account`."""

    async def answer(request: FormRequest, services: Services) -> Answer:
        bearer = await _authenticate(request, services)
        try:
            return Answer(await operation(request, bearer, services), bearer.client)
        except OAuthError as error:
            return Answer(error, bearer.client)

    return answer


async def _authenticate(request: FormRequest, services: Services) -> Bearer:
    """Ours by its signature; for this server; active as introspection would tell its own client; scope enough."""
    token = await verified_access_token(_presented(request), services)
    if token is None:
        raise AccessTokenError(ErrorCode.INVALID_TOKEN, "access_token_unknown")
    claims = token.claims
    # A service that is shown tokens of its own users must not be able to use them here.
    if services.issuer not in (claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]):
        raise AccessTokenError(ErrorCode.INVALID_TOKEN, "access_token_for_others")
    subject = TokenSubject(claims["client_id"], claims["sub"], claims.get("sid"), claims["jti"], token.kid)
    facts = await services.records.token_context(subject)
    if facts.client is None or facts.user is None or facts.family is None:
        raise AccessTokenError(ErrorCode.INVALID_TOKEN, "access_token_not_a_users")
    active = introspect_access_token(claims, facts, facts.client, (), services.clock.now())
    if not active["active"]:
        raise AccessTokenError(ErrorCode.INVALID_TOKEN, "access_token_not_active")
    if "scope" not in active or ACCOUNT_SCOPE not in parse_scope(active["scope"]):
        raise AccessTokenError(ErrorCode.INSUFFICIENT_SCOPE, "scope_without_account", scope=ACCOUNT_SCOPE)
    return Bearer(facts.user, facts.client, facts.family.sid)


def _presented(request: FormRequest) -> str:
    """The token of the Authorization header, the one way there is (RFC 6750 section 2)."""
    if "access_token" in request.parameters:
        raise AccessTokenError(
            ErrorCode.INVALID_REQUEST, "The access token belongs into the Authorization header, and nowhere else."
        )
    scheme, _, token = (request.authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        raise AccessTokenError(ErrorCode.INVALID_TOKEN, "access_token_missing", sent=False)
    return token.strip(" ")
