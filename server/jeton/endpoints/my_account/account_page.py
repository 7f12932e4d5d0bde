"""The person's own page: GET /me."""

from collections.abc import Mapping

from jeton.endpoints.app_labels import app_label
from jeton.endpoints.authorization.consent import scope_items
from jeton.endpoints.my_account.signed_in_forms import DONE, SignedInForms
from jeton.endpoints.page_messages import Page, PageAnswer, PageRequest
from jeton.frozen import Frozen
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.consents import NO_RESOURCE, Consent
from jeton.oauth.sessions import Family
from jeton.oauth.users import User
from jeton.pages.account_content import PROFILE_FIELDS, Account, AppItem, BrowserItem, Notice, SessionItem
from jeton.pages.content import ScopeItem
from jeton.storage.browser_session_lookups import AccountOverview, BrowserSessionLookups


class ShowMyAccount(Frozen):
    """GET /me."""

    forms: SignedInForms
    lookups: BrowserSessionLookups
    descriptions: Mapping[str, Mapping[str, str]]
    has_editable_profile: bool

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Show who is signed in, in which browsers, and which apps have access."""
        visitor = await self.forms.visitor(request)
        overview = await self.lookups.overview(visitor.user.sub)
        done = request.parameters.get(DONE, "").upper()
        return Page(
            Account(
                visitor.user.username,
                self.forms.token(visitor),
                _claims(visitor.user),
                self.has_editable_profile,
                [_browser(it, visitor.session) for it in overview.browser_sessions],
                _apps(overview, self.descriptions),
                Notice[done] if done in Notice.__members__ else None,
            )
        )


def _claims(user: User) -> dict[str, str]:
    """Return what is stored about the person, by the English name of each item."""
    shown = {it.label: str(user.profile[name]) for name, it in PROFILE_FIELDS.items() if user.profile.get(name)}
    return shown if user.email is None else {**shown, "E-mail": user.email}


def _browser(it: BrowserSession, current: BrowserSession) -> BrowserItem:
    is_current = it.browser_session_id == current.browser_session_id
    return BrowserItem(it.browser_session_id, is_current, it.auth_time, it.used_at, it.ip, it.user_agent)


def _apps(overview: AccountOverview, descriptions: Mapping[str, Mapping[str, str]]) -> list[AppItem]:
    """Return the apps with access: those with a session, and those that were allowed something; by name."""
    consents = {it.client_id: it for it in overview.consents}
    families: dict[str, list[Family]] = {}
    for family in overview.families:
        families.setdefault(family.client_id, []).append(family)
    apps = []
    for client_id, client in overview.clients.items():
        consent = consents.get(client_id)
        apps.append(
            AppItem(
                client_id,
                app_label(client),
                [] if consent is None else _access(consent, overview, descriptions),
                None if consent is None else consent.updated_at,
                [_session(it) for it in families.get(client_id, ())],
            )
        )
    return sorted(apps, key=lambda it: it.app.name.casefold())


def _access(
    consent: Consent, overview: AccountOverview, descriptions: Mapping[str, Mapping[str, str]]
) -> list[tuple[ScopeItem | None, list[ScopeItem]]]:
    """Return what was allowed, by resource: first what counts at no resource."""

    def named(uri: str) -> ScopeItem | None:
        known = overview.resources.get(uri)
        return None if uri == NO_RESOURCE else ScopeItem(uri, {} if known is None else {"en": known.name})

    return [(named(uri), scope_items(scope, descriptions)) for uri, scope in sorted(consent.allowed.items())]


def _session(it: Family) -> SessionItem:
    return SessionItem(it.sid, it.created_at, it.rotated_at, it.last_ip, it.last_user_agent)
