"""The way back to the client: by redirect, by a page that redirects, or by a form (RFC 6749 section 4.1.2)."""

from collections.abc import Mapping
from urllib.parse import urlencode

import structlog

from jeton.endpoints.app_labels import app_label
from jeton.endpoints.authorization.authorization_response import (
    CodeIssuer,
    RequestUsedError,
    authorization_response_parameters,
)
from jeton.endpoints.authorization.pushed_request_uses import PushedRequestUses, used_error
from jeton.endpoints.page_messages import Page, PageAnswer, PageError, PageRequest, Redirect
from jeton.frozen import Frozen
from jeton.oauth.authorization.authorization_errors import AuthorizationErrorResponse, AuthorizationRequestError
from jeton.oauth.authorization.authorization_request import AuthorizationRequest, error_response
from jeton.oauth.authorization.code_issuance import Approval
from jeton.oauth.clients import Client
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.registration.unregistered_clients import is_vouched_for
from jeton.pages.content import Fault, FormPost, RedirectPage
from jeton.rules.domain_policy import DomainPolicy

# Errors that the client receives if the code cannot be issued after all. Other refusals are shown as a page.
_FOR_CLIENT = (
    ErrorCode.LOGIN_REQUIRED,
    ErrorCode.CONSENT_REQUIRED,
    ErrorCode.UNAUTHORIZED_CLIENT,
    ErrorCode.INVALID_SCOPE,
    ErrorCode.INVALID_TARGET,
)

log = structlog.get_logger("jeton.authorization")


class ClientResponses(Frozen):
    """Answers clients. `after_form` says that the request follows a form of ours.

    No error leads a browser at once to a client that is not vouched for (RFC 9700 section 4.11.2).
    """

    issuer: str
    codes: CodeIssuer
    pushed: PushedRequestUses
    policy: DomainPolicy

    async def send_code(
        self,
        request: PageRequest,
        authorization: AuthorizationRequest,
        approval: Approval,
        *,
        after_form: bool,
    ) -> PageAnswer:
        """Issue a code for what the person allows, and bring it to the client."""
        client, sub = approval.client, approval.browser_session.sub
        single_use = self.pushed.single_use(authorization.pushed_id, sub)
        try:
            code = await self.codes.issue(authorization, approval, request.source, single_use)
        except RequestUsedError:
            raise used_error() from None
        except AuthorizationRequestError as error:
            raise PageError(Fault.REDIRECT_URI, error.reason, about={"client_id": error.client_id}) from None
        except OAuthError as error:
            if error.code not in _FOR_CLIENT:
                raise
            response = error_response(authorization, error.code, error.description)
            return await self.send_error(request, client, response, error.reason, after_form=after_form, sub=sub)
        parameters = authorization_response_parameters(code=code, state=authorization.state, iss=self.issuer)
        return _answer(request, client, authorization, parameters, after_form=after_form)

    async def send_error(
        self,
        request: PageRequest,
        client: Client,
        response: AuthorizationErrorResponse,
        reason: str,
        *,
        after_form: bool,
        sub: str | None = None,
    ) -> PageAnswer:
        """Tell the client what went wrong, and log the reason.

        A pushed request is used up if the user `sub`, who is signed in, has had a page of it. Otherwise nothing is
        written: opening the reference again gives the same error, or the page.
        """
        if after_form and sub is not None:
            await self.pushed.use(response.pushed_id, sub)
        about = {"error": response.error, "client_id": client.client_id, "ip": request.source.ip}
        log.warning("authorization_refused", reason=reason, **about)
        parameters = authorization_response_parameters(
            error=response.error, description=response.description, state=response.state, iss=self.issuer
        )
        waits = not (after_form or is_vouched_for(client, self.policy))
        return _answer(request, client, response, parameters, after_form=after_form, waits=waits)


def _answer(
    request: PageRequest,
    client: Client,
    target: AuthorizationRequest | AuthorizationErrorResponse,
    parameters: Mapping[str, str],
    *,
    after_form: bool,
    waits: bool = False,
) -> PageAnswer:
    """Return what brings these parameters to the client; with `waits`, once the person has seen where that is."""
    redirect_uri, app = target.redirect_uri, app_label(client, target.redirect_uri)
    if target.response_mode == "form_post":
        return Page(FormPost(redirect_uri, parameters, app, waits), form_target=redirect_uri)
    location = with_parameters(redirect_uri, parameters)
    if waits:
        return Page(RedirectPage(location, app, waits))
    return redirect_to_client(request, client, location, after_form=after_form)


def with_parameters(uri: str, parameters: Mapping[str, str]) -> str:
    """Return the redirect URI with these parameters added to its query."""
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(parameters)}"


def redirect_to_client(
    request: PageRequest, client: Client, location: str, *, after_form: bool, ui_locales: tuple[str, ...] = ()
) -> Page | Redirect:
    """Return what leads a browser to this address of the client.

    Chromium blocks a redirect that follows a form if any step of it leaves what `form-action` allows, and clients
    redirect on to places that are not known here: `after_form`, a browser gets a page that redirects. Other programs
    are redirected, and so are private schemes, which a browser only follows at a click.
    """
    if after_form and request.navigates and location.startswith(("https://", "http://")):
        return Page(RedirectPage(location, app_label(client, location)), ui_locales=ui_locales)
    return Redirect(location)
