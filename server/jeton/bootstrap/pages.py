"""The pages, each given what it uses, and their paths."""

from collections.abc import Mapping
from pathlib import Path

from starlette.types import ASGIApp

from jeton.bootstrap.endpoints import build_authorization_requests, token_parser
from jeton.bootstrap.parts import Parts
from jeton.bootstrap.token_endpoint import build_code_issuer
from jeton.config.settings import PageSettings, Settings
from jeton.config.sources import ConfigError
from jeton.endpoints.authorization.authorization_endpoint import AuthorizationEndpoint
from jeton.endpoints.authorization.client_responses import ClientResponses
from jeton.endpoints.authorization.consent import Questions, ShowConsent, SubmitConsent
from jeton.endpoints.authorization.interactions import CONSENT_PATH, MY_ACCOUNT_PATH, SIGN_IN_PATH, Interactions
from jeton.endpoints.authorization.pushed_request_uses import PushedRequestUses
from jeton.endpoints.authorization.sign_in import ShowSignIn, SubmitSignIn, UseOtherAccount
from jeton.endpoints.browser_cookies import BrowserCookies
from jeton.endpoints.id_token_hints import IdTokenHints
from jeton.endpoints.logout import ConfirmLogout, LogoutEndpoint, LogoutSteps
from jeton.endpoints.my_account.account_page import ShowMyAccount
from jeton.endpoints.my_account.my_account_forms import (
    SIGNED_OUT_PATH,
    EndAppSession,
    EndBrowserSession,
    FixedRedirect,
    ShowSignedOut,
    SignOut,
    WithdrawAccess,
)
from jeton.endpoints.my_account.my_password import ShowPasswordForm, SubmitPasswordForm
from jeton.endpoints.my_account.my_profile import ShowProfileForm, SubmitProfileForm
from jeton.endpoints.my_account.signed_in_forms import SignedInForms
from jeton.endpoints.page_messages import PageEndpoint
from jeton.http.page_assets import LOGO_PATH, LogoEndpoint, asset_endpoints
from jeton.http.page_responses import PageResponses
from jeton.http.page_router import PageRouter
from jeton.oauth.discovery import END_SESSION_PATH
from jeton.oauth.metadata import AUTHORIZATION_PATH
from jeton.pages.branding import Branding, BrandingError, read_logo
from jeton.pages.catalogues import CatalogueError
from jeton.pages.rendering import PageRenderer


def build_renderer(settings: Settings) -> PageRenderer:
    """Return what renders the pages. Raise ConfigError if a setting of section `pages` cannot be used."""
    pages = settings.pages
    if pages.templates and not Path(pages.templates).is_dir():
        raise ConfigError(f"pages.templates: there is no folder {pages.templates}")
    try:
        return PageRenderer(settings.server.issuer, _branding(pages), pages.templates)
    except (BrandingError, CatalogueError) as error:
        raise ConfigError(str(error)) from None


def _branding(pages: PageSettings) -> Branding:
    logo = read_logo(pages.logo) if pages.logo else ""
    own = Branding(pages.name, logo, terms_uri=pages.terms_uri, privacy_uri=pages.privacy_uri, support=pages.support)
    return Branding(pages.name, logo, pages.accent or own.accent, own.terms_uri, own.privacy_uri, own.support)


def build_pages(settings: Settings, parts: Parts, renderer: PageRenderer) -> Mapping[str, ASGIApp]:
    """Return the pages by path, and the files that they use."""
    cookies = BrowserCookies(settings.server.issuer, settings.sessions.absolute_seconds)
    interactions = Interactions(renderer.base, parts.sealed_requests, cookies, parts.clock)
    responses = PageResponses(renderer)
    endpoints = {
        **_authorization_pages(settings, parts, interactions),
        **_account_pages(settings, parts, interactions),
    }
    pages: dict[str, ASGIApp] = {
        path: PageRouter(it, responses, parts.storage.audit_backlog) for path, it in endpoints.items()
    }
    logo = LogoEndpoint(parts.storage.browser_session_lookups.logo)
    return {**pages, **asset_endpoints(renderer.assets), LOGO_PATH: logo}


def _authorization_pages(
    settings: Settings, parts: Parts, interactions: Interactions
) -> dict[str, dict[str, PageEndpoint]]:
    storage, login = parts.storage, parts.logins.by_browser
    lookups, browser_lookups = storage.lookups, storage.browser_session_lookups
    answers = ClientResponses(
        settings.server.issuer,
        build_code_issuer(settings, parts),
        PushedRequestUses(storage.replay_store, parts.request_limits, parts.clock),
        parts.clients.policy,
    )
    clients = parts.clients
    hints = IdTokenHints(token_parser(settings, parts))
    requests = build_authorization_requests(settings, parts)
    authorization = AuthorizationEndpoint(
        interactions,
        requests,
        clients,
        lookups,
        browser_lookups,
        login,
        answers,
        frozenset(settings.scopes.optional),
        require_par=settings.grants.require_par,
    )
    logout = LogoutSteps(interactions, lookups, login, clients.policy)
    log_out = LogoutEndpoint(logout, hints)
    questions = Questions(interactions, clients, login)
    return {
        AUTHORIZATION_PATH: {"GET": authorization, "POST": authorization},
        SIGN_IN_PATH: {"GET": ShowSignIn(interactions, clients), "POST": SubmitSignIn(interactions, clients, login)},
        SIGN_IN_PATH + "/other": {"POST": UseOtherAccount(interactions, login)},
        CONSENT_PATH: {
            "GET": ShowConsent(questions, lookups, settings.scopes.descriptions, parts.clients.policy),
            "POST": SubmitConsent(questions, answers),
        },
        END_SESSION_PATH: {"GET": log_out, "POST": log_out},
        END_SESSION_PATH + "/confirm": {"POST": ConfirmLogout(logout)},
    }


def _account_pages(settings: Settings, parts: Parts, interactions: Interactions) -> dict[str, dict[str, PageEndpoint]]:
    """Return the pages that people see without an app."""
    login, lookups = parts.logins.by_browser, parts.storage.browser_session_lookups
    forms = SignedInForms(interactions, login, parts.form_tokens)
    min_length, base = settings.passwords.min_length, interactions.base
    editable = settings.pages.editable_claims
    profile: dict[str, PageEndpoint] = {
        "GET": ShowProfileForm(forms, editable),
        "POST": SubmitProfileForm(forms, editable, parts.storage.ledger),
    }
    return {
        "/": {"GET": FixedRedirect(base + MY_ACCOUNT_PATH)},
        "/.well-known/change-password": {"GET": FixedRedirect(base + MY_ACCOUNT_PATH + "/password")},
        MY_ACCOUNT_PATH: {"GET": ShowMyAccount(forms, lookups, settings.scopes.descriptions, bool(editable))},
        **({MY_ACCOUNT_PATH + "/profile": profile} if editable else {}),
        MY_ACCOUNT_PATH + "/password": {
            "GET": ShowPasswordForm(forms, min_length),
            "POST": SubmitPasswordForm(forms, min_length, parts.logins.password_change),
        },
        MY_ACCOUNT_PATH + "/browsers/end": {"POST": EndBrowserSession(forms, login, lookups)},
        MY_ACCOUNT_PATH + "/sessions/end": {"POST": EndAppSession(forms, parts.storage.ledger)},
        MY_ACCOUNT_PATH + "/apps/end": {"POST": WithdrawAccess(forms, parts.storage.ledger)},
        "/sign-out": {"POST": SignOut(forms, login)},
        SIGNED_OUT_PATH: {"GET": ShowSignedOut(interactions, login)},
    }
