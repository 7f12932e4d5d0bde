"""The consent page: GET and POST /consent. What it shows is what is granted: both come from the sealed value."""

from collections.abc import Mapping
from typing import Final

from jeton.endpoints.app_labels import app_label
from jeton.endpoints.authorization.client_responses import ClientResponses
from jeton.endpoints.authorization.interactions import PARAMETER, Interactions, check_own_page, client_of
from jeton.endpoints.clients.client_resolution import ClientResolution
from jeton.endpoints.page_messages import Page, PageAnswer, PageError, PageRequest, RedirectError
from jeton.frozen import Frozen, replace
from jeton.login.browser_login import BrowserLogin
from jeton.oauth.authorization.authorization_request import AuthorizationRequest, error_response
from jeton.oauth.authorization.code_issuance import Approval
from jeton.oauth.authorization.interactions import Interaction, Shown
from jeton.oauth.browser_session_rules import outlasts_browser_session
from jeton.oauth.clients import ADMINISTRATOR, Client
from jeton.oauth.errors import ErrorCode
from jeton.oauth.metadata import AUTHORIZATION_PATH
from jeton.oauth.registration.unregistered_clients import is_vouched_for
from jeton.oauth.scope import Scope
from jeton.pages.content import Consent, Fault, ScopeItem
from jeton.rules.domain_policy import DomainPolicy
from jeton.storage.browser_session_lookups import Visitor
from jeton.storage.lookups import Lookups

# The names of the form's tick boxes begin with this, followed by an optional scope.
CHOICE: Final = "scope:"


class Question(Frozen):
    """A question that was put to the person who is signed in here."""

    interaction: Interaction
    authorization: AuthorizationRequest
    shown: Shown
    client: Client
    visitor: Visitor


class Questions(Frozen):
    """Opens questions from requests."""

    interactions: Interactions
    clients: ClientResolution
    login: BrowserLogin

    async def open(self, request: PageRequest) -> Question:
        """Return the question. Raise RedirectError if another person is signed in by now, or none."""
        interaction = self.interactions.open_bound(request)
        authorization, shown = interaction.request, interaction.shown
        if authorization is None or shown is None:
            raise PageError(Fault.EXPIRED, "sealed_request_without_question")
        client = await client_of(authorization, self.clients, request.source)
        visitor = await self.login.find(self.interactions.cookies.session_secret(request))
        is_asked = visitor is not None and visitor.session.browser_session_id == shown.browser_session_id
        if visitor is None or not is_asked or not interaction.freshness.is_satisfied_by(visitor.session):
            raise RedirectError(self.interactions.redirect_to(AUTHORIZATION_PATH, interaction))
        return Question(interaction, authorization, shown, client, visitor)


class ShowConsent(Frozen):
    """GET /consent. `descriptions` has the words for scopes, by scope and language; `policy` tells which apps
    are known.
    """

    questions: Questions
    lookups: Lookups
    descriptions: Mapping[str, Mapping[str, str]]
    policy: DomainPolicy

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Show what the app asks for, or, without a question about access, one button to go on."""
        question = await self.questions.open(request)
        shown, authorization = question.shown, question.authorization
        resources = await self.lookups.resources(shown.resources)
        app = app_label(question.client, authorization.redirect_uri)
        content = Consent(
            self._sealed(request, question),
            app,
            question.visitor.user.username,
            scope_items(shown.scope, self.descriptions, shown.new_scope, shown.optional),
            [ScopeItem(it.uri, {"en": it.name}, it.uri in shown.new_resources) for it in resources],
            outlasts_browser_session(shown.scope - shown.optional, question.client),
            shown.asks_consent,
            is_unknown=not is_vouched_for(question.client, self.policy),
            is_on_device=question.client.registration != ADMINISTRATOR and app.host is None,
        )
        return Page(content, ui_locales=authorization.ui_locales, form_target=authorization.redirect_uri)

    def _sealed(self, request: PageRequest, question: Question) -> str:
        """Return the sealed request with the client as it is shown: it may have changed since it was sealed."""
        shown, digest = question.shown, question.client.metadata_digest
        if shown.metadata_digest == digest:
            return request.parameters[PARAMETER]
        seen = replace(question.interaction, shown=replace(shown, metadata_digest=digest))
        return self.questions.interactions.sealed.seal(seen)


class SubmitConsent(Frozen):
    """POST /consent."""

    questions: Questions
    responses: ClientResponses

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Issue the code for what was shown and chosen, or tell the client that the person refused.

        Ask again if the client has described itself otherwise since it was shown.
        """
        check_own_page(request)
        question = await self.questions.open(request)
        authorization, client, shown = question.authorization, question.client, question.shown
        if client.metadata_digest != shown.metadata_digest:
            raise RedirectError(self.questions.interactions.redirect_to(AUTHORIZATION_PATH, question.interaction))
        scope = shown.granted(it for it in shown.optional if request.parameters.get(CHOICE + it) == "true")
        match request.parameters.get("decision"):
            case "allow" if scope or not shown.scope:
                approval = Approval(client, question.visitor.session, scope, consented=shown.asks_consent)
                return await self.responses.send_code(request, authorization, approval, after_form=True)
            case "allow" | "deny":
                response = error_response(authorization, ErrorCode.ACCESS_DENIED, "The user denied the access.")
                return await self.responses.send_error(
                    request,
                    client,
                    response,
                    "denied_by_user",
                    after_form=True,
                    sub=question.visitor.session.sub,
                )
        raise PageError(Fault.MALFORMED, "decision_missing")


def scope_items(
    scope: Scope,
    descriptions: Mapping[str, Mapping[str, str]],
    new: Scope = frozenset(),
    optional: Scope = frozenset(),
) -> list[ScopeItem]:
    """Return how scopes are shown: those of OpenID Connect first, then by name."""
    order = {name: place for place, name in enumerate(("openid", "profile", "email", "address", "phone"))}
    ordered = sorted(scope, key=lambda it: (order.get(it, len(order)), it))
    return [ScopeItem(it, descriptions.get(it, {}), it in new, it in optional) for it in ordered]
