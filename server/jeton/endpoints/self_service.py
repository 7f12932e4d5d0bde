"""Self-service of the account: GET /account and POST /account/password."""

from collections.abc import Awaitable, Callable

from jeton.endpoints.access_token_authentication import AuthenticatedUser
from jeton.endpoints.messages import FormRequest, Json
from jeton.frozen import Frozen
from jeton.login.password_change import Kept, PasswordChange, PasswordRejectedError
from jeton.oauth.decisions import Deny
from jeton.oauth.errors import malformed_request
from jeton.oauth.parameters import flag, require


class ShowAccount(Frozen):
    """GET /account."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedUser]]

    async def handle(self, _: FormRequest, caller: AuthenticatedUser) -> Json:
        """Return what is stored about the user."""
        user = caller.user
        return Json(
            {
                "sub": user.sub,
                "username": user.username,
                "email": user.email,
                "roles": list(user.roles),
                "created_at": user.created_at,
            }
        )


class ChangePassword(Frozen):
    """POST /account/password."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedUser]]
    changing: PasswordChange

    async def handle(self, request: FormRequest, caller: AuthenticatedUser) -> Json:
        """Change the password and end sessions; with `keep_current`, all but the one of the request."""
        parameters = request.parameters
        current, new = require(parameters, "current_password"), require(parameters, "new_password")
        kept = Kept(sid=caller.sid if flag(parameters, "keep_current") else None)
        client_id = caller.client.client_id
        try:
            decision = await self.changing.change(caller.user, current, new, client_id, request.source, kept)
        except PasswordRejectedError as rejected:
            raise malformed_request(str(rejected)) from None
        if isinstance(decision, Deny):
            raise decision.to_error()
        return Json({"sessions_ended": len(decision.families)})
