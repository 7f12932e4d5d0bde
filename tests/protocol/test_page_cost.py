"""The cost of the sign-in page, which unauthenticated clients can request without limit."""

import time
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlencode

from support.authorization_codes import add_app
from support.browsing import browser
from support.in_process_server import Running

PAGES = 200
MAX_SECONDS = 0.002


async def ask(node: Running, scope: dict[str, Any]) -> int:
    """Send one request directly to the application, without the cost of an HTTP client. Return the status."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await node.server.app(scope, receive, send)
    return int(sent[0]["status"])


async def test_sign_in_page_takes_less_than_two_milliseconds_of_processor_time(jeton: Running) -> None:
    async with browser(jeton) as it:
        await it.authorize(add_app(jeton))
        sealed = it.form("/sign-in").fields["sealed_request"]
        cookie = "; ".join(f"{it.name}={it.value}" for it in it.http.cookies.jar).encode()
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/sign-in",
        "query_string": urlencode({"sealed_request": sealed}).encode(),
        "headers": [(b"cookie", cookie), (b"accept-language", b"en")],
        "client": ("127.0.0.1", 1),
    }
    assert await ask(jeton, scope) == 200
    began = time.process_time()
    for _ in range(PAGES):
        await ask(jeton, scope)
    assert (time.process_time() - began) / PAGES < MAX_SECONDS
