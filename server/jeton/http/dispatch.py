"""Asking an endpoint: within a deadline, and always with an answer, whatever comes of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from starlette.types import Scope

from jeton.crypto.breached_passwords import BreachedPasswordsError
from jeton.crypto.hashing_pool import HashingBusyError
from jeton.crypto.key_stores import KeyStoreError
from jeton.endpoints.messages import Answer, FormRequest
from jeton.grants.services import Services
from jeton.http.request_parsing import RefusedUnreadError, address_of
from jeton.http.responses import Rendered, render_content, render_error
from jeton.oauth.clients import Client
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.storage.batching import BatcherBusyError
from jeton.storage.database import StorageUnavailableError

DEADLINE_SECONDS: Final = 5
UNAVAILABLE: Final = (
    *(StorageUnavailableError, KeyStoreError, BreachedPasswordsError),
    *(BatcherBusyError, HashingBusyError, TimeoutError),
)

log = structlog.get_logger("jeton.http")

Endpoint = Callable[[FormRequest, Services], Awaitable[Answer]]


async def ask(
    endpoint: Endpoint, reading: Awaitable[FormRequest], scope: Scope, services: Services
) -> tuple[Rendered, frozenset[str] | None]:
    """The response, and the origins whose pages may read it: the client's; None where it is not known."""
    try:
        request = await reading  # within the connection's own time for bodies
        async with asyncio.timeout(DEADLINE_SECONDS):
            answer = await endpoint(request, services)
    except RefusedUnreadError as refused:
        return render_error(refused.error, refused.status), None
    except OAuthError as error:
        return _refuse(scope, error), None
    except UNAVAILABLE as error:
        return render_unavailable(scope, error), None
    except Exception:
        log.exception("server_error", path=route_of(scope))
        return render_error(OAuthError(ErrorCode.SERVER_ERROR, "unexpected")), None
    origins = None if answer.client is None else answer.client.origins
    if isinstance(answer.content, OAuthError):
        return _refuse(scope, answer.content, answer.client), origins
    return render_content(answer.content), origins


def route_of(scope: Scope) -> str:
    """Return the template of the path, as `/account/sessions/{sid}`: whoever asks may write a token into the path.

    Form endpoints are found by their whole path, and have no other.
    """
    route = scope.get("route")
    return str(getattr(route, "path_format", "")) if route is not None else str(scope["path"])


def render_unavailable(scope: Scope, error: Exception) -> Rendered:
    """Return 503, and log what is away."""
    log.error("temporarily_unavailable", path=route_of(scope), reason=type(error).__name__, detail=str(error))
    return render_error(OAuthError(ErrorCode.TEMPORARILY_UNAVAILABLE, type(error).__name__))


def _refuse(scope: Scope, error: OAuthError, client: Client | None = None) -> Rendered:
    """The refusal, and one line in the log that says why."""
    client_id = client.client_id if client else None
    about = {"error": error.code, "client_id": client_id, "ip": address_of(scope), **error.about}
    log.warning("request_refused", reason=error.reason, path=route_of(scope), **about)
    return render_error(error)
