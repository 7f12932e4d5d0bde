"""Userinfo endpoint: GET and POST /oauth/userinfo (OpenID Connect Core section 5.3)."""

from collections.abc import Awaitable, Callable

from jeton.endpoints.access_token_authentication import AuthenticatedUser
from jeton.endpoints.messages import FormRequest, Json
from jeton.frozen import Frozen
from jeton.oauth.userinfo import userinfo_claims


class UserinfoEndpoint(Frozen):
    """Tells a client what its access token covers of the user."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedUser]]

    async def handle(self, _: FormRequest, caller: AuthenticatedUser) -> Json:
        """Return the claims, as they are now."""
        return Json(userinfo_claims(caller.user, caller.scope))
