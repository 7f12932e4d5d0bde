"""Health: /livez says that the process answers, /readyz that it is able to serve."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from jeton.endpoints.messages import Json
from jeton.http.responses import render


async def answer_livez(_: Request) -> Response:
    return render(Json({"status": "alive"})).for_starlette()


def answer_readyz(unready_reason: Callable[[], str | None]) -> Callable[[Request], Awaitable[Response]]:
    """Answer 503, with the reason in a fixed word, while no tokens can be issued. Overload is not unreadiness."""

    async def answer(_: Request) -> Response:
        reason = unready_reason()
        ready = Json({"status": "ready"}) if reason is None else Json({"status": "not ready", "reason": reason}, 503)
        return render(ready).for_starlette()

    return answer
