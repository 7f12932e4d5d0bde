"""The ASGI application: which path leads where."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from importlib.metadata import version
from typing import Final
from urllib.parse import urlsplit

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from jeton.background.maintenance import Maintenance
from jeton.endpoints.introspection import answer_introspection_request
from jeton.endpoints.revocation import answer_revocation_request
from jeton.endpoints.token import answer_token_request
from jeton.grants.services import Services
from jeton.http.account_routes import OPERATIONS, AccountEndpoint
from jeton.http.cacheable_documents import Document, DocumentEndpoint, NumberedDocumentEndpoint, as_document
from jeton.http.cors import ANY_ORIGIN, answer_options, parse_preflight
from jeton.http.dispatch import UNAVAILABLE, render_unavailable
from jeton.http.draining import Draining
from jeton.http.form_endpoint import FormEndpoint
from jeton.http.health import answer_livez, answer_readyz
from jeton.http.middleware import Entrance, security_headers
from jeton.http.openapi import openapi_document
from jeton.http.responses import Header, Rendered, render_error
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.metadata import (
    INTROSPECTION_PATH,
    JWKS_PATH,
    METADATA_PATHS,
    REVOCATION_PATH,
    STATUS_LISTS_PATH,
    TOKEN_PATH,
    server_metadata,
)

_DOCUMENT_SECONDS: Final = 300


def create_app(services: Services, maintenance: Maintenance, draining: Draining) -> Starlette:
    """The application over these services. It starts the upkeep with its first request, and stops it at the end."""
    AuthorizationServerMetadata(_metadata(services, maintenance)).validate()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        upkeeping = asyncio.create_task(maintenance.run())
        with draining.on_sigterm():
            yield
        upkeeping.cancel()
        with suppress(asyncio.CancelledError):
            await upkeeping
        # In a thread: what is still under way may need the loop to end.
        await asyncio.to_thread(maintenance.close)
        await asyncio.to_thread(services.close)

    headers = security_headers(services.issuer)
    forms = _forms(services, maintenance, headers)
    path = urlsplit(services.issuer).path.rstrip("/")
    app = Starlette(
        routes=_routes(services, maintenance, draining, forms),
        lifespan=lifespan,
        exception_handlers={
            HTTPException: _render_http_exception,
            Exception: _render_failure,
            **dict.fromkeys(UNAVAILABLE, _render_unavailable),
        },
    )
    # A path is right or wrong: credentials are never sent on to another one.
    app.router.redirect_slashes = False
    # Before all other layers, which would cost a form request as much as its own protocol does.
    app.middleware_stack = Entrance(
        app.build_middleware_stack(),
        forms=forms | {path + at: form for at, form in forms.items()},
        headers=headers,
        draining=draining,
    )
    return app


def _forms(services: Services, maintenance: Maintenance, headers: Sequence[Header]) -> dict[str, FormEndpoint]:
    """The form endpoints, by path."""
    return {
        TOKEN_PATH: FormEndpoint(answer_token_request, services, maintenance, headers, cross_origin=True),
        REVOCATION_PATH: FormEndpoint(answer_revocation_request, services, maintenance, headers, cross_origin=True),
        INTROSPECTION_PATH: FormEndpoint(answer_introspection_request, services, maintenance, headers),
    }


def _routes(
    services: Services, maintenance: Maintenance, draining: Draining, forms: Mapping[str, FormEndpoint]
) -> list[BaseRoute]:
    """Return the public paths; for an issuer with a path, below it too, so that no proxy has to rewrite them.

    Most endpoints answer 405 themselves, because they know which pages may read it.
    """
    metadata = _metadata_endpoint(services, maintenance)
    routes: list[BaseRoute] = [
        *(Route(at, form) for at, form in forms.items()),
        *_account_routes(services, maintenance),
        *_status_list_routes(maintenance),
        Route(JWKS_PATH, _key_set_endpoint(services)),
        *(Route(at, metadata) for at in METADATA_PATHS),
        Route("/openapi.json", _openapi_endpoint(services)),
        Route("/livez", answer_livez, methods=["GET"]),
        Route("/readyz", answer_readyz(maintenance, draining), methods=["GET"]),
    ]
    issuer_path = urlsplit(services.issuer).path
    if not issuer_path:
        return routes
    # RFC 8414 section 3.1: between host and path, without a trailing slash, which some clients leave.
    path = issuer_path.rstrip("/")
    inserted = [Route(at + below, metadata) for at in METADATA_PATHS for below in (path, issuer_path)]
    return [*inserted, *routes, *([Mount(path, routes=routes)] if path else [])]


def _metadata(services: Services, maintenance: Maintenance) -> dict[str, object]:
    """The password grant is announced only where some client may use it (RFC 9700 section 2.4)."""
    grant_types = {"client_credentials", "refresh_token"}
    if services.password_grant and "password" in maintenance.client_capabilities.grant_types:
        grant_types.add("password")
    return server_metadata(services.issuer, grant_types, status_lists=services.status_lists)


def _metadata_endpoint(services: Services, maintenance: Maintenance) -> DocumentEndpoint:
    return DocumentEndpoint(lambda: as_document(_metadata(services, maintenance), _DOCUMENT_SECONDS))


def _openapi_endpoint(services: Services) -> DocumentEndpoint:
    """Made when it is first asked for: most servers never are."""
    return DocumentEndpoint(
        cache(lambda: as_document(openapi_document(services.issuer, version("jeton")), _DOCUMENT_SECONDS))
    )


def _key_set_endpoint(services: Services) -> DocumentEndpoint:
    def current() -> Document:
        key_set = services.keyring.key_set
        max_age = services.keyring.max_age(services.clock.now())
        return Document(key_set.document, key_set.etag, max_age, "application/jwk-set+json")

    return DocumentEndpoint(current)


def _account_routes(services: Services, maintenance: Maintenance) -> list[BaseRoute]:
    endpoints = {at: AccountEndpoint(operations, services, maintenance) for at, operations in OPERATIONS.items()}
    return [Route(at, endpoint) for at, endpoint in endpoints.items()]


def _status_list_routes(maintenance: Maintenance) -> list[BaseRoute]:
    """The status lists and the list of them; nothing where they are switched off."""
    lists = maintenance.status_lists
    if lists is None:
        return []

    async def find(number: str) -> Document | None:
        found = await lists.signed(number)
        if found is None:
            return None
        return Document(found.token, found.etag, lists.ttl_seconds, "application/statuslist+jwt")

    aggregation = DocumentEndpoint(lambda: as_document(lists.aggregation(), _DOCUMENT_SECONDS))
    return [
        Route(STATUS_LISTS_PATH, aggregation),
        Route(STATUS_LISTS_PATH + "/{number}", NumberedDocumentEndpoint(find)),
    ]


async def _render_http_exception(request: Request, error: Exception) -> Response:
    """Return 404 and 405 as JSON like all other errors, and let every page read them.

    Pages look for metadata at several paths, and some of their requests are preceded by a preflight: it succeeds, so
    that the page learns that nothing is there.
    """
    assert isinstance(error, HTTPException)
    preflight = parse_preflight(request.scope)
    if preflight is not None and error.status_code == 404:
        return _response(answer_options(preflight, ("GET", "HEAD", "OPTIONS"), None))
    sentence = "This path does not offer that method." if error.status_code == 405 else "There is nothing at this path."
    rendered = render_error(OAuthError(ErrorCode.INVALID_REQUEST, sentence), error.status_code)
    return _response(rendered.with_headers(*ANY_ORIGIN), error.headers)


async def _render_failure(_: Request, __: Exception) -> Response:
    """Return 500 for what nobody foresaw; Starlette raises the error again, so that it is logged."""
    rendered = render_error(OAuthError(ErrorCode.SERVER_ERROR, "unexpected"))
    return _response(rendered.with_headers(*ANY_ORIGIN))


async def _render_unavailable(request: Request, error: Exception) -> Response:
    """Return 503 where a public document cannot be made just now."""
    return _response(render_unavailable(request.scope, error).with_headers(*ANY_ORIGIN))


def _response(rendered: Rendered, more: Mapping[str, str] | None = None) -> Response:
    headers = {name.decode(): value.decode() for name, value in rendered.headers}
    return Response(rendered.body, rendered.status, {**headers, **(more or {})})
