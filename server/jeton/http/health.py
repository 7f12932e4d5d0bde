"""Health: /livez says that the process answers, /readyz that it is able to serve."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jeton.endpoints.upkeep import Upkeep

_NO_STORE: Final = {"cache-control": "no-store"}


async def answer_livez(_: Request) -> Response:
    return JSONResponse({"status": "alive"}, headers=_NO_STORE)


def answer_readyz(upkeep: Upkeep) -> Callable[[Request], Awaitable[Response]]:
    """503 while the database has not answered lately, or is read-only. Overload is not unreadiness."""

    async def answer(_: Request) -> Response:
        if upkeep.is_ready:
            return JSONResponse({"status": "ready"}, headers=_NO_STORE)
        return JSONResponse(
            {"status": "not ready: the database does not answer, or cannot be written"}, 503, headers=_NO_STORE
        )

    return answer
