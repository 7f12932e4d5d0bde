"""Forms of people who are signed in: who sent them, and that they come from a page of theirs."""

from typing import Final

from jeton.crypto.sealed_request import FormTokens
from jeton.endpoints.authorization.interactions import MY_ACCOUNT_PATH, SIGN_IN_PATH, Interactions, check_own_page
from jeton.endpoints.page_messages import PageError, PageRequest, Redirect, RedirectError
from jeton.frozen import Frozen
from jeton.login.browser_login import BrowserLogin
from jeton.pages.account_content import Notice
from jeton.pages.content import Fault
from jeton.storage.browser_session_lookups import Visitor

# What has just been done, as the parameter `done` of the address of the page.
DONE: Final = "done"


class SignedInForms(Frozen):
    """Checks who is signed in, and that a form comes from a page of that person."""

    interactions: Interactions
    login: BrowserLogin
    form_tokens: FormTokens

    async def visitor(self, request: PageRequest) -> Visitor:
        """Return who is signed in. Raise RedirectError to the sign-in page if no user is."""
        visitor = await self.login.find(self.interactions.cookies.session_secret(request))
        if visitor is None:
            raise self.sign_in_first()
        return visitor

    def sign_in_first(self) -> RedirectError:
        """Return the exception that leads to the sign-in page."""
        return RedirectError(Redirect(self.interactions.base + SIGN_IN_PATH))

    async def sender(self, request: PageRequest) -> Visitor:
        """Return who sent the form. Raise PageError if it does not come from a page of theirs."""
        check_own_page(request)
        visitor = await self.visitor(request)
        presented = request.parameters.get("form_token", "")
        if not self.form_tokens.is_genuine(presented, visitor.session.secret_digest):
            raise PageError(Fault.EXPIRED, "form_token_wrong")
        return visitor

    def token(self, visitor: Visitor) -> str:
        """Return the token for the forms of a page."""
        return self.form_tokens.derive(visitor.session.secret_digest)

    def done(self, notice: Notice) -> Redirect:
        """Return the way back to the page, which then says what was done."""
        return Redirect(f"{self.interactions.base}{MY_ACCOUNT_PATH}?{DONE}={notice.name.lower()}")
