"""The endpoint of a client that receives logout tokens on loopback, and their delivery."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qs

import jwt
from sqlalchemy import insert

from jeton.oauth.backchannel_logout import BackchannelLogout
from jeton.storage.logout_outbox import list_logouts
from jeton.storage.tables import logout_outbox
from support.authorization_codes import add_app
from support.in_process_server import App, Running
from support.remote_server import RemoteRequest, RemoteServer, remote_server, response

OPENID: Final = frozenset({"openid", "read"})


class LogoutReceiver:
    """An endpoint that responds with each of `statuses` in turn, then always with the last one."""

    def __init__(self, server: RemoteServer, statuses: list[str]) -> None:
        self.server = server
        self.statuses = statuses

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server.port}/logged-out"

    @property
    def tokens(self) -> list[str]:
        """The logout tokens received so far."""
        return [parse_qs(it.body.decode(), strict_parsing=True)["logout_token"][0] for it in self.server.requests]

    @property
    def claims(self) -> list[dict[str, Any]]:
        """The claims of the received tokens, without verification."""
        return [jwt.decode(it, options={"verify_signature": False}) for it in self.tokens]

    async def wait(self, seconds: float) -> None:
        """Wait for the first logout token."""
        async with asyncio.timeout(seconds):
            while not self.server.requests:
                await asyncio.sleep(0.001)


@asynccontextmanager
async def logout_receiver(*statuses: str) -> AsyncIterator[LogoutReceiver]:
    left = list(statuses or ["200 OK"])

    async def respond(_: RemoteRequest) -> bytes:
        return response(left.pop(0) if len(left) > 1 else left[0])

    async with remote_server(respond) as server:
        yield LogoutReceiver(server, left)


def add_receiving_app(node: Running, client_id: str, uri: str, **fields: Any) -> App:
    """Register a first-party client with this address for logout tokens."""
    return add_app(node, client_id, **{"scope": OPENID, "first_party": True, "backchannel_logout_uri": uri} | fields)


def add_logouts(node: Running, client_id: str, *browser_session_ids: str) -> None:
    """Insert logouts to deliver, from browser sessions of a deleted user that have just ended."""
    now = node.clock.now()
    row = {"client_id": client_id, "sub": "u_1", "created_at": now, "expires_at": now + 9999, "next_attempt_at": now}
    with node.database.write() as connection:
        connection.execute(insert(logout_outbox), [{"browser_session_id": it, **row} for it in browser_session_ids])


async def deliver(node: Running) -> None:
    """Make all attempts that are due."""
    delivery = node.server.parts.background.logout_delivery
    await delivery.start_due()
    await delivery.wait()


def outbox(node: Running) -> list[BackchannelLogout]:
    with node.database.read() as connection:
        return list_logouts(connection)
