"""Dispatch of a request to its endpoint: within a deadline, and with a response to every exception."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

import structlog
from starlette.types import Scope

from jeton.endpoints.messages import Endpoint, FormRequest
from jeton.http.request_parsing import address_of
from jeton.http.responses import Rendered, render
from jeton.oauth.clients import Client
from jeton.oauth.errors import OAuthError, TemporarilyUnavailableError, server_error, temporarily_unavailable
from jeton.observability.metrics import count_refusal

DEADLINE_SECONDS: Final = 5
# A missed deadline is as temporary as what is marked so.
UNAVAILABLE: Final = (TemporarilyUnavailableError, TimeoutError)

log = structlog.get_logger("jeton.http")


async def dispatch(
    endpoint: Endpoint[Any], reading: Awaitable[FormRequest], scope: Scope
) -> tuple[Rendered, Client | None]:
    """Return the response, and the authenticated client if there is one."""
    client = None
    try:
        request = await reading  # within the connection's own time for bodies
        async with asyncio.timeout(DEADLINE_SECONDS):
            caller = await endpoint.authenticate(request)
            client = caller.client
            return render(await endpoint.handle(request, caller)), client
    except OAuthError as error:
        return _refuse(scope, error, client), client
    except UNAVAILABLE as error:
        return render_unavailable(scope, error), client
    except Exception:
        log.exception("server_error", path=route_of(scope))
        return render(_counted(server_error())), client


def route_of(scope: Scope) -> str:
    """Return the path's template, as `/account/sessions/{sid}`, because a caller may write a token into the path.

    Resources that are found by their whole path have no other template.
    """
    route = scope.get("route")
    return str(getattr(route, "path_format", "")) if route is not None else str(scope["path"])


def render_unavailable(scope: Scope, error: Exception) -> Rendered:
    """Return 503, and log what is unavailable."""
    log.error("temporarily_unavailable", path=route_of(scope), reason=type(error).__name__, detail=str(error))
    return render(_counted(temporarily_unavailable(type(error).__name__)))


def _refuse(scope: Scope, error: OAuthError, client: Client | None) -> Rendered:
    """Return the refusal, and log the reason in one line."""
    client_id = client.client_id if client else None
    about = {"error": error.code, "client_id": client_id, "ip": address_of(scope), **error.about}
    log.warning("request_refused", reason=error.reason, path=route_of(scope), **about)
    return render(_counted(error))


def _counted(error: OAuthError) -> OAuthError:
    count_refusal(error.code, error.reason)
    return error
