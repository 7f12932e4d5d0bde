"""Health: /livez says that the process answers, /readyz that it is able to serve."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jeton.background.maintenance import Maintenance
from jeton.http.draining import Draining

_NO_STORE: Final = {"cache-control": "no-store"}


async def answer_livez(_: Request) -> Response:
    return JSONResponse({"status": "alive"}, headers=_NO_STORE)


def answer_readyz(maintenance: Maintenance, draining: Draining) -> Callable[[Request], Awaitable[Response]]:
    """Answer 503, with the reason in a fixed word, while no tokens can be issued. Overload is not unreadiness."""

    async def answer(_: Request) -> Response:
        reason = "stopping" if draining.has_begun else maintenance.unready_reason
        if reason is None:
            return JSONResponse({"status": "ready"}, headers=_NO_STORE)
        return JSONResponse({"status": "not ready", "reason": reason}, 503, headers=_NO_STORE)

    return answer
