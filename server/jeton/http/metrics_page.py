"""GET /metrics, for a listener of its own."""

import asyncio
from collections.abc import Callable
from typing import Final

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.types import ASGIApp, Receive, Scope, Send

from jeton.http.responses import Rendered, render, render_method_not_allowed
from jeton.oauth.errors import malformed_request

METRICS_PATH: Final = "/metrics"


def metrics_page(render_metrics: Callable[[], bytes]) -> ASGIApp:
    """Return an application that answers with the metrics, and with nothing else. One request is answered at a time."""
    one_at_a_time = asyncio.Lock()

    async def answer(scope: Scope) -> Rendered:
        if scope["path"] != METRICS_PATH:
            return render(malformed_request("There is nothing at this path.", 404))
        if scope["method"] not in ("GET", "HEAD"):
            return render_method_not_allowed(("GET", "HEAD"))
        async with one_at_a_time:
            # In a thread, because requests must not wait for it.
            body = await asyncio.to_thread(render_metrics)
        content_type = (b"content-type", CONTENT_TYPE_PLAIN_0_0_4.encode())
        return Rendered(200, (content_type, (b"cache-control", b"no-store")), body)

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        await (await answer(scope)).send(send)

    return app
