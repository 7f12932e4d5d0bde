"""The ASGI application: which path leads where."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from jeton.endpoints.page_messages import Page
from jeton.frozen import Frozen
from jeton.http.cors import ANY_ORIGIN, answer_options, parse_preflight
from jeton.http.dispatch import UNAVAILABLE, render_unavailable
from jeton.http.draining import Draining
from jeton.http.health import answer_livez, answer_readyz
from jeton.http.outermost_middleware import OutermostMiddleware
from jeton.http.page_responses import PageResponses
from jeton.http.request_tracing import RequestTracing
from jeton.http.responses import render
from jeton.oauth.errors import malformed_request, server_error
from jeton.oauth.metadata import METADATA_PATHS
from jeton.oauth.protected_resource import PROTECTED_RESOURCE_PATH
from jeton.observability.tracing import tracing
from jeton.pages.content import ErrorPage, Fault

Lifespan = Callable[[], AbstractAsyncContextManager[None]]


def create_app(
    issuer: str,
    apps: Mapping[str, ASGIApp],
    page_responses: PageResponses,
    unready_reason: Callable[[], str | None],
    draining: Draining,
    lifespan: Lifespan,
) -> ASGIApp:
    """Return the application that serves these endpoints, documents and pages, by path."""
    health = [
        Route("/livez", answer_livez, methods=["GET"]),
        Route("/readyz", answer_readyz(unready_reason), methods=["GET"]),
    ]
    # They answer 405 themselves, because they know which pages may read it.
    routes = [Route(path, it) for path, it in apps.items() if "{" in path] + health
    app = Starlette(
        routes=_below_issuer(issuer, routes),
        lifespan=lambda _: lifespan(),
        exception_handlers={
            HTTPException: _HttpExceptions(page_responses).render,
            Exception: _render_failure,
            **dict.fromkeys(UNAVAILABLE, _render_unavailable),
        },
    )
    # A path is right or wrong: credentials are never sent on to another one.
    app.router.redirect_slashes = False
    direct = _by_path(issuer, apps)
    outermost = OutermostMiddleware(app, direct=direct, issuer=issuer, draining=draining)
    return RequestTracing(outermost, direct) if tracing.is_on else outermost


def _below_issuer(issuer: str, routes: list[Route]) -> list[BaseRoute]:
    """Return the routes; for an issuer with a path, below it too, so that no proxy has to rewrite paths."""
    path = urlsplit(issuer).path.rstrip("/")
    return [*routes, *([Mount(path, routes=routes)] if path else [])]


def _by_path(issuer: str, apps: Mapping[str, ASGIApp]) -> dict[str, ASGIApp]:
    """Return the apps whose paths have no parameters; for an issuer with a path, below it too, and the metadata as
    RFC 8414 and RFC 9728 (section 3.1 of both) place them: between host and path, also without a trailing slash, which
    some clients leave.
    """
    fixed = {path: app for path, app in apps.items() if "{" not in path}
    issuer_path = urlsplit(issuer).path
    path = issuer_path.rstrip("/")
    inserted = {
        at + below: apps[at] for at in (*METADATA_PATHS, PROTECTED_RESOURCE_PATH) for below in (path, issuer_path)
    }
    return {**fixed, **{path + it: app for it, app in fixed.items()}, **inserted}


class _HttpExceptions(Frozen):
    """Rendering of 404 and 405."""

    pages: PageResponses

    async def render(self, request: Request, error: Exception) -> Response:
        """Return a page to people, and JSON like all other errors to programs, and let every web page read it.

        Web pages look for metadata at several paths, and some of their requests are preceded by a preflight: it
        succeeds, so that the web page learns that nothing is there.
        """
        if not isinstance(error, HTTPException):
            raise error
        preflight = parse_preflight(request.scope)
        if preflight is not None and error.status_code == 404:
            return answer_options(preflight, ("GET", "HEAD", "OPTIONS"), None).for_starlette()
        if error.status_code == 404 and "text/html" in request.headers.get("accept", ""):
            page = Page(ErrorPage(Fault.NOT_FOUND), 404)
            return self.pages.render(page, request.headers.get("accept-language", "")).for_starlette()
        is_method = error.status_code == 405
        sentence = "This path does not offer that method." if is_method else "There is nothing at this path."
        rendered = render(malformed_request(sentence, error.status_code))
        return rendered.with_headers(*ANY_ORIGIN).for_starlette(error.headers)


async def _render_failure(_: Request, __: Exception) -> Response:
    """Return 500 for an unexpected exception; Starlette raises it again, so that it is logged."""
    return render(server_error()).with_headers(*ANY_ORIGIN).for_starlette()


async def _render_unavailable(request: Request, error: Exception) -> Response:
    """Return 503 if a public document cannot be made now."""
    return render_unavailable(request.scope, error).with_headers(*ANY_ORIGIN).for_starlette()
