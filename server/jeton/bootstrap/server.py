"""Builds a server process from the settings."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from starlette.types import ASGIApp

from jeton.bootstrap.capabilities import sign_in_capabilities, unregistered_grant_types
from jeton.bootstrap.clients import certificate_header
from jeton.bootstrap.endpoints import build_endpoints
from jeton.bootstrap.from_settings import open_database, password_rules
from jeton.bootstrap.pages import build_pages, build_renderer
from jeton.bootstrap.parts import Parts, build_parts
from jeton.bootstrap.registration import is_registration_offered
from jeton.bootstrap.token_endpoint import enabled_grants
from jeton.config.loading import load_settings
from jeton.config.settings import Settings
from jeton.frozen import Frozen
from jeton.grants import GRANTS
from jeton.grants.description import Grant
from jeton.http.app import Lifespan, create_app
from jeton.http.client_address import ClientAddress
from jeton.http.client_certificate_header import ClientCertificateHeader
from jeton.http.draining import Draining
from jeton.http.page_responses import PageResponses
from jeton.http.public_documents import Announced, public_documents
from jeton.http.trusted_proxies import TrustedProxies
from jeton.oauth.resources import uris_of
from jeton.observability.tracing import tracing
from jeton.pages.rendering import PageRenderer
from jeton.storage.clock import Clock


class BackgroundWork(Protocol):
    """Work of a server while it serves."""

    async def run(self) -> None:
        """Run until there is nothing more to do, or until cancelled."""


class Server(Frozen):
    """A server process: its ASGI application, and the parts that this is built from."""

    app: ASGIApp
    parts: Parts
    lifespan: Lifespan

    def close(self) -> None:
        """Close a server that has not served. One that has served is closed at the end of its lifespan."""
        self.parts.close()


def assemble(
    settings: Settings,
    clock: Clock | None = None,
    grants: Sequence[Grant] = GRANTS,
    background: Sequence[BackgroundWork] = (),
) -> Server:
    """Return a server over the configured database, ready to serve, with more work that it does in the background.

    Raise ConfigError, DatabaseUrlError, SchemaError, MasterKeyError or StorageUnavailableError if it cannot start.
    """
    tracing.start()
    # A list of breached passwords that cannot be read stops the start, and not the first change of a password.
    rules = password_rules(settings)
    renderer = build_renderer(settings)
    database = open_database(settings, serving=True)
    try:
        parts = build_parts(settings, database, clock or Clock(), rules)
        return _server(settings, parts, enabled_grants(settings, grants), renderer, background)
    except Exception:
        database.close()
        raise


def _server(
    settings: Settings,
    parts: Parts,
    grants: Sequence[Grant],
    renderer: PageRenderer,
    background: Sequence[BackgroundWork],
) -> Server:
    issuer, state = settings.server.issuer, parts.background.shared_state
    draining = Draining(settings.server.drain_seconds)

    def unready_reason() -> str | None:
        return "stopping" if draining.has_begun else state.unready_reason

    announced = Announced(
        lambda: state.client_capabilities.grant_types | unregistered_grant_types(settings),
        lambda: sign_in_capabilities(settings, parts, renderer.languages),
        lambda: uris_of(state.ceiling.value.resources),
        parts.client_certificates.methods,
        is_registration_offered(settings.registration),
    )
    documents = public_documents(
        issuer, settings.pages.name, grants, announced, parts.keyring, parts.clock, state.status_lists
    )
    if settings.metrics.listen:
        background = (*background, parts.background.measurements)
    lifespan = _lifespan(parts, draining, background)
    endpoints, pages = build_endpoints(settings, parts, grants), build_pages(settings, parts, renderer)
    apps: dict[str, ASGIApp] = {**endpoints, **documents, **pages}
    app = create_app(issuer, apps, PageResponses(renderer), unready_reason, draining, lifespan)
    trusted = TrustedProxies(settings.server.trusted_proxies)
    if settings.server.trusted_proxies:
        app = ClientAddress(app, trusted)
    if (header := certificate_header(settings)) is not None:
        # Outside of it, where the peer is still the proxy.
        app = ClientCertificateHeader(app, header.name, trusted)
    return Server(app, parts, lifespan)


def _lifespan(parts: Parts, draining: Draining, more: Sequence[BackgroundWork]) -> Lifespan:
    """Return the lifespan: background work runs while the server serves, and everything is closed at its end."""

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        works: tuple[BackgroundWork, ...] = (
            *(parts.background.maintenance, parts.background.logout_delivery, parts.logins.by_password.timing),
            *more,
        )
        background = [asyncio.create_task(it.run()) for it in works]
        # A second Ctrl-C cancels this task, and closes everything at once.
        with draining.on_sigterm(), suppress(asyncio.CancelledError):
            yield
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        # In a thread: pending work may need the loop to end.
        await asyncio.to_thread(parts.close)

    return lifespan


def check_start() -> None:
    """Build a server from the environment, and close it. Raise what would prevent its start."""
    assemble(load_settings()).close()
