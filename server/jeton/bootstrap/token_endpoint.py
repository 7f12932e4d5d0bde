"""The token endpoint with its grants, and what else issues tokens and codes, each given what it uses."""

from collections.abc import Sequence

from jeton.bootstrap.parts import Parts
from jeton.config.settings import Settings
from jeton.endpoints.authorization.authorization_response import CodeIssuer
from jeton.endpoints.clients.client_authentication import ClientAuthentication
from jeton.endpoints.refresh_cookies import RefreshCookies
from jeton.endpoints.token import EnabledGrant, TokenEndpoint
from jeton.endpoints.token_issuing import TokenIssuer
from jeton.grants.description import Grant, GrantParts
from jeton.oauth.clients import Lifetimes


def enabled_grants(settings: Settings, grants: Sequence[Grant]) -> tuple[Grant, ...]:
    """Return the grants that the settings do not switch off."""
    return tuple(it for it in grants if it.setting is None or getattr(settings.grants, it.setting))


def build_token_endpoint(
    settings: Settings, parts: Parts, authenticate: ClientAuthentication, grants: Sequence[Grant]
) -> TokenEndpoint:
    """Return the endpoint, which offers these grants."""
    tokens = settings.tokens
    grant_parts = GrantParts(
        parts.master_key_id,
        parts.clock,
        parts.storage.ledger,
        parts.storage.replay_store,
        parts.storage.lookups,
        parts.logins.by_password,
        parts.storage.status_indexes,
        parts.authorization_codes,
        parts.refresh_tokens,
        parts.token_failures,
    )
    return TokenEndpoint(
        authenticate,
        {it.name: EnabledGrant(it, it.build(grant_parts)) for it in grants},
        tokens.default_audience,
        configured_lifetimes(settings),
        build_token_issuer(settings, parts),
        parts.request_limits,
        parts.storage.lookups,
        RefreshCookies(settings.server.issuer),
        parts.dpop,
        parts.storage.replay_store,
        parts.client_certificates,
    )


def build_code_issuer(settings: Settings, parts: Parts) -> CodeIssuer:
    """Return what issues authorization codes to users who are signed in."""
    return CodeIssuer(
        parts.storage.ledger,
        parts.storage.status_indexes,
        parts.authorization_codes,
        parts.master_key_id,
        configured_lifetimes(settings),
        settings.tokens.default_audience,
    )


def build_token_issuer(settings: Settings, parts: Parts) -> TokenIssuer:
    """Return what signs tokens."""
    return TokenIssuer(settings.server.issuer, settings.tokens.status_list, parts.keyring, parts.refresh_tokens)


def configured_lifetimes(settings: Settings) -> Lifetimes:
    """Return the lifetimes of clients that have none of their own."""
    tokens = settings.tokens
    return Lifetimes(
        tokens.access_seconds,
        tokens.refresh_idle_seconds,
        tokens.refresh_absolute_seconds,
        tokens.retry_grace_seconds,
        settings.limits.refresh_spacing_seconds,
    )
