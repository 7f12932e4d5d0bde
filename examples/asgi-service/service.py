"""A plain ASGI service without a framework: it requires an access token with the scope `orders`.

pip install ../../clients/python uvicorn
ISSUER=http://127.0.0.1:8000 AUDIENCE=https://orders.example uvicorn service:app --port 8001
nginx -p . -c nginx.conf
"""

import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from jeton_client import AsyncVerifier, BearerMiddleware

Message = MutableMapping[str, Any]


async def greet(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    if scope["type"] != "http":
        return
    token = scope["access_token"]
    body = json.dumps({"hello": token.subject, "roles": token.roles}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


verifier: Final = AsyncVerifier(os.environ["ISSUER"], os.environ["AUDIENCE"])
app: Final = BearerMiddleware(greet, verifier, scope=["orders"], realm="orders")
