"""What finds clients, registered or by their metadata documents, as the settings have it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from jeton.bootstrap.limits import document_limits
from jeton.config.settings import Settings
from jeton.config.sources import ConfigError
from jeton.crypto.client_certificates import CertificateAuthorities
from jeton.endpoints.clients.certificate_authentication import CertificateHeader, ClientCertificates
from jeton.endpoints.clients.client_key_sets import ClientKeySets
from jeton.endpoints.clients.client_resolution import ClientResolution
from jeton.endpoints.clients.metadata_document_cache import MetadataDocuments
from jeton.endpoints.clients.outbound_clients import OutboundClients
from jeton.oauth.registration.metadata_documents import MAX_DOCUMENT_BYTES
from jeton.oauth.registration_ceiling import RegistrationCeiling
from jeton.outbound.client import DEADLINE_SECONDS, MAX_CONCURRENT, OutboundClient
from jeton.rules.domain_policy import DomainPolicy
from jeton.storage.clock import Clock
from jeton.storage.lookups import Lookups

# Less than the deadline of the request that waits for it.
_FETCH_SECONDS: Final = 3.0


def client_resolution(
    settings: Settings,
    lookups: Lookups,
    clock: Clock,
    ceiling: Callable[[], RegistrationCeiling],
) -> ClientResolution:
    """Return what finds clients. `ceiling` returns what unregistered ones may have."""
    registration = settings.registration
    known, new = (
        OutboundClient(
            allow_private_addresses=registration.allow_private_addresses,
            deadline_seconds=_FETCH_SECONDS,
            max_body_bytes=MAX_DOCUMENT_BYTES,
        )
        for _ in range(2)
    )
    documents = MetadataDocuments(known.get, new.get, document_limits(settings), clock)
    return ClientResolution(
        lookups,
        clock,
        ceiling,
        domain_policy(settings),
        documents if registration.client_id_metadata_documents else None,
        registration.allow_private_addresses,
    )


def domain_policy(settings: Settings) -> DomainPolicy:
    """Return what the operator says of the domains of metadata documents."""
    registration = settings.registration
    return DomainPolicy(registration.deny, registration.allow, registration.ask)


def client_key_sets(settings: Settings, clock: Clock) -> ClientKeySets:
    """Return what finds the keys of clients."""
    return ClientKeySets(outbound_clients(settings, deadline_seconds=_FETCH_SECONDS), clock)


def outbound_clients(
    settings: Settings, *, deadline_seconds: float = DEADLINE_SECONDS, max_concurrent: int = MAX_CONCURRENT
) -> OutboundClients:
    """Return what makes requests to addresses of clients, within these limits for each of both kinds.

    An administrator knows the addresses that they register: these may be in the operator's own network.
    """

    def outbound(*, allow_private_addresses: bool) -> OutboundClient:
        return OutboundClient(
            allow_private_addresses=allow_private_addresses,
            deadline_seconds=deadline_seconds,
            max_concurrent=max_concurrent,
        )

    allowed = settings.registration.allow_private_addresses
    return OutboundClients(outbound(allow_private_addresses=True), outbound(allow_private_addresses=allowed))


def client_certificates(settings: Settings, keys: ClientKeySets, clock: Clock) -> ClientCertificates:
    """Return what finds and verifies certificates of clients. Raise ConfigError if the authorities cannot be read."""
    return ClientCertificates(certificate_header(settings), certificate_authorities(settings), keys, clock)


def certificate_authorities(settings: Settings) -> CertificateAuthorities | None:
    """Return the authorities of the settings, or None. Raise ConfigError if they cannot be read."""
    file = settings.server.client_certificate_authorities
    if not file:
        return None
    try:
        return CertificateAuthorities(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"server.client_certificate_authorities: no certificates in {file}: {reason}") from None


def certificate_header(settings: Settings) -> CertificateHeader | None:
    """Return the header in which a trusted proxy passes certificates on, or None."""
    form, _, name = settings.server.client_certificate_header.partition(" ")
    return CertificateHeader((name or "Client-Cert").lower().encode(), form) if form else None
