"""Attempts to log in with a password, and how each is answered."""

import asyncio
from collections import Counter
from typing import Final

import httpx2

from support.in_process_server import App, Running
from support.responses import outcomes

WRONG: Final = "a wrong password, and long"


async def attempt(jeton: Running, app: App, username: str = "alice", password: str = WRONG) -> httpx2.Response:
    """One attempt. What answers it depends on nothing else, because each has the same identifier."""
    return await jeton.token(
        app, {"X-Request-Id": "attempt-1"}, grant_type="password", username=username, password=password
    )


async def attempts(jeton: Running, app: App, count: int, username: str = "alice") -> Counter[tuple[int, str | None]]:
    """Send that many wrong passwords at once. Return how often each status and error was answered."""
    return outcomes(await asyncio.gather(*(attempt(jeton, app, username) for _ in range(count))))
