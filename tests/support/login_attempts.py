"""Attempts to log in with a password, and their outcomes."""

import asyncio
from collections import Counter
from typing import Final

import httpx2

from support.in_process_server import App, Running
from support.responses import outcomes

WRONG: Final = "a wrong password, and long"


async def attempt(jeton: Running, app: App, username: str = "alice", password: str = WRONG) -> httpx2.Response:
    """Send one attempt. All have the same request identifier, so that responses can be compared."""
    return await jeton.token(
        app, {"X-Request-Id": "attempt-1"}, grant_type="password", username=username, password=password
    )


async def attempts(jeton: Running, app: App, count: int, username: str = "alice") -> Counter[tuple[int, str | None]]:
    """Send this number of wrong passwords concurrently. Return the number of responses by status and error."""
    return outcomes(await asyncio.gather(*(attempt(jeton, app, username) for _ in range(count))))
