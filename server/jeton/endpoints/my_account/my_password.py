"""The form for a new password: GET and POST /me/password."""

from jeton.crypto.credentials import digest_secret, generate_cookie_secret
from jeton.crypto.hashing_pool import HashingBusyError
from jeton.endpoints.my_account.signed_in_forms import SignedInForms
from jeton.endpoints.page_messages import Page, PageAnswer, PageRequest
from jeton.frozen import Frozen, replace
from jeton.login.password_change import Kept, PasswordChange, PasswordRejectedError
from jeton.oauth.decisions import Deny
from jeton.oauth.errors import OAuthError
from jeton.pages.account_content import ChangePassword, Notice
from jeton.pages.content import Problem
from jeton.rules.password_policy import PasswordRejection
from jeton.storage.browser_session_lookups import Visitor


class ShowPasswordForm(Frozen):
    """GET /me/password."""

    forms: SignedInForms
    min_length: int

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Show the form."""
        visitor = await self.forms.visitor(request)
        return Page(ChangePassword(visitor.user.username, self.forms.token(visitor), self.min_length))


class SubmitPasswordForm(Frozen):
    """POST /me/password."""

    forms: SignedInForms
    min_length: int
    changing: PasswordChange

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Change the password, and renew the cookie.

        With `end_others`, all other browsers are signed out, and all sessions of apps end.
        """
        visitor = await self.forms.sender(request)
        current, new = (request.parameters.get(it, "") for it in ("current_password", "new_password"))
        ends_others = request.parameters.get("end_others") == "true"
        secret, own_id = generate_cookie_secret(), visitor.session.browser_session_id
        kept = Kept(browser_session_id=own_id, secret_digest=digest_secret(secret), all_else=not ends_others)
        try:
            decision = await self.changing.change(visitor.user, current, new, "", request.source, kept)
        except PasswordRejectedError as rejected:
            return self._again(visitor, Problem.NEW_PASSWORD_REJECTED, 400, rejected.rejection)
        except HashingBusyError:
            return replace(self._again(visitor, Problem.BUSY, 503), retry_after=1)
        except OAuthError as error:
            if error.status != 429:
                raise
            return replace(self._again(visitor, Problem.TOO_MANY_ATTEMPTS, 429), retry_after=error.retry_after)
        if isinstance(decision, Deny):
            return self._again(visitor, Problem.CURRENT_PASSWORD_WRONG, 400)
        done = self.forms.done(Notice.PASSWORD_CHANGED)
        return replace(done, cookies=(self.forms.interactions.cookies.signed_in(secret),))

    def _again(
        self, visitor: Visitor, problem: Problem, status: int, rejection: PasswordRejection | None = None
    ) -> Page:
        token = self.forms.token(visitor)
        return Page(ChangePassword(visitor.user.username, token, self.min_length, problem, rejection), status)
