"""grant_type=client_credentials (RFC 6749 section 4.4): the client in its own name."""

from jeton.grants.request import TokenRequest
from jeton.grants.services import Services
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode

GRANT_TYPE = "client_credentials"


async def redeem(request: TokenRequest, services: Services) -> Issue | Deny:
    """An access token, and never a refresh token (section 4.4.3): the client can always ask again."""
    if request.client.public:
        return Deny(ErrorCode.UNAUTHORIZED_CLIENT, "public_client")
    return Issue(request.client, request.granted_scope(), request.audience, services.clock.now(), "issued")
