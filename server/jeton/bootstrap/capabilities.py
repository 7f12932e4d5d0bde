"""What the metadata announce: what registered clients may do, and unregistered clients."""

from jeton.bootstrap.parts import Parts
from jeton.config.settings import Settings
from jeton.oauth.discovery import SignInCapabilities
from jeton.oauth.registration.client_metadata import REGISTRABLE_GRANT_TYPES


def unregistered_grant_types(settings: Settings) -> frozenset[str]:
    """Return the grant types of unregistered clients; none if there can be no such clients."""
    return frozenset(REGISTRABLE_GRANT_TYPES) if _lets_unregistered_in(settings) else frozenset()


def sign_in_capabilities(settings: Settings, parts: Parts, languages: tuple[str, ...]) -> SignInCapabilities:
    """Return what is announced of signing in now."""
    lets_in, ceiling = _lets_unregistered_in(settings), parts.background.shared_state.ceiling.value
    scope = parts.background.shared_state.client_capabilities.scope
    return SignInCapabilities(
        scope | ceiling.scope if lets_in else scope,
        parts.keyring.id_token_algorithms,
        languages,
        require_par=settings.grants.require_par,
        open_scope=ceiling.default_scope if lets_in else frozenset(),
        metadata_documents=settings.registration.client_id_metadata_documents,
    )


def _lets_unregistered_in(settings: Settings) -> bool:
    registration = settings.registration
    return registration.client_id_metadata_documents or registration.dynamic != "off"
