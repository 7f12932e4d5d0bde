"""The registration endpoints (RFC 7591, RFC 7592), where the settings switch them on."""

from functools import partial
from typing import Final

from jeton.bootstrap.parts import Parts
from jeton.config.settings import RegistrationSettings, Settings
from jeton.endpoints.registration import RegistrationAuthentication, RegistrationEndpoint
from jeton.endpoints.registration_management import (
    DeleteRegistration,
    ManagementAuthentication,
    ReadRegistration,
    UpdateRegistration,
)
from jeton.http.method_router import MethodRouter, Operation
from jeton.http.registration_requests import read_registration_request
from jeton.oauth.registration.dynamic_registration import CLIENT_PATH, FALLBACK_PATH, REGISTRATION_PATH

_read: Final = partial(Operation, read=read_registration_request)


def build_registration(settings: Settings, parts: Parts) -> dict[str, MethodRouter]:
    """Return the endpoints by path; none if registration is off.

    If it is open, pages of every origin may register: they can do no more than any other program.
    """
    if not is_registration_offered(settings.registration):
        return {}
    is_open = settings.registration.dynamic == "open"
    register = RegistrationEndpoint(
        RegistrationAuthentication(is_open, parts.storage.registrations, parts.request_limits),
        settings.server.issuer,
        lambda: parts.background.shared_state.ceiling.value,
        lambda: parts.keyring.id_token_algorithms,
        parts.storage.registrations,
        parts.storage.lookups,
        parts.request_limits,
        parts.clock,
    )
    registrations = MethodRouter({"POST": _read(register)}, (lambda: None) if is_open else None)
    return {REGISTRATION_PATH: registrations, FALLBACK_PATH: registrations, CLIENT_PATH: _management(settings, parts)}


def is_registration_offered(registration: RegistrationSettings) -> bool:
    """Return whether programs can register themselves, with a token or without."""
    return registration.dynamic != "off"


def _management(settings: Settings, parts: Parts) -> MethodRouter:
    authenticate = ManagementAuthentication(parts.storage.lookups, parts.request_limits)
    issuer, registrations = settings.server.issuer, parts.storage.registrations
    update = UpdateRegistration(
        authenticate,
        issuer,
        lambda: parts.background.shared_state.ceiling.value,
        lambda: parts.keyring.id_token_algorithms,
        registrations,
        parts.clock,
    )
    return MethodRouter(
        {
            "GET": _read(ReadRegistration(authenticate, issuer)),
            "PUT": _read(update),
            "DELETE": _read(DeleteRegistration(authenticate, registrations)),
        }
    )
