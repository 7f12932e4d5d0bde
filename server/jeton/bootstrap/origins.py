"""Which web pages may send requests: their origins, as the clients are registered now."""

from jeton.bootstrap.parts import Parts
from jeton.config.settings import Settings
from jeton.http.method_router import CookieOrigins, Origins


def client_origins(settings: Settings, parts: Parts) -> Origins:
    """Return what returns the origins of pages that may be clients: None for all, if every program may register."""
    return (lambda: None) if settings.registration.dynamic == "open" else registered_origins(parts)


def registered_origins(parts: Parts) -> CookieOrigins:
    """Return what returns the origins of registered clients."""
    return lambda: parts.background.shared_state.client_capabilities.origins


def cookie_origins(parts: Parts) -> CookieOrigins:
    """Return what returns the origins of clients in cookie mode."""
    return lambda: parts.background.shared_state.client_capabilities.cookie_origins
