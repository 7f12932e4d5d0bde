"""HTTP connections of the server over an in-memory transport."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from jeton.http1.connection import READ_BYTES, Connection
from jeton.http1.connection_table import ConnectionTable


class FakeTransport(asyncio.Transport):
    """A transport that records each write. While `is_blocked` is set, the peer does not read."""

    def __init__(self, peer: tuple[Any, ...] = ("127.0.0.1", 1)) -> None:
        super().__init__({"peername": peer, "sockname": ("127.0.0.1", 2)})
        self.written: list[bytes] = []
        self.is_read_from = True
        self.ended = self.closed = self.aborted = False
        self.protocol: Connection
        self.is_blocked = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written.append(bytes(data))
        if self.is_blocked:
            self.protocol.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == 0

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        assert self.is_read_from
        self.is_read_from = False

    def resume_reading(self) -> None:
        assert not self.is_read_from
        self.is_read_from = True


@dataclass
class Peer:
    """The client end of a connection."""

    connection: Connection
    transport: FakeTransport
    unsent: bytearray = field(default_factory=bytearray)

    async def send(self, *segments: bytes) -> None:
        """Send each segment as a socket would deliver it, as far as the connection reads."""
        for segment in segments:
            self.unsent += segment
            await self._deliver()
        await self.run_until_idle()

    async def run_until_idle(self) -> None:
        """Run the event loop until no task makes progress."""
        for _ in range(30):
            await asyncio.sleep(0)
            await self._deliver()

    async def _deliver(self) -> None:
        while self.unsent and self.transport.is_read_from and not self.transport.closed:
            piece = bytes(self.unsent[:READ_BYTES])
            del self.unsent[: len(piece)]
            self.deliver_read(piece)
            await asyncio.sleep(0)

    def deliver_read(self, piece: bytes) -> None:
        """Deliver one read of the socket without running other tasks."""
        self.connection.get_buffer(-1)[: len(piece)] = piece
        self.connection.buffer_updated(len(piece))

    @property
    def answer(self) -> bytes:
        return b"".join(self.transport.written)

    @property
    def statuses(self) -> Sequence[int]:
        """The status codes of all responses so far. Bodies in these tests contain no status line."""
        return [int(part[:3]) for part in self.answer.split(b"HTTP/1.1 ")[1:]]

    @property
    def is_ended(self) -> bool:
        """Whether no further request will be answered."""
        return self.transport.closed or self.transport.ended


@dataclass
class Server:
    """A server process with its connections to one application."""

    config: Config
    state: ServerState
    table: ConnectionTable
    connections: list[Connection] = field(default_factory=list)

    def connect(self, peer: tuple[Any, ...] = ("127.0.0.1", 1)) -> Peer:
        transport = FakeTransport(peer)
        transport.protocol = Connection(self.config, self.state, {}, self.table)
        self.connections.append(transport.protocol)
        transport.protocol.connection_made(transport)
        return Peer(transport.protocol, transport)


@asynccontextmanager
async def serving(app: ASGIApp, max_connections: int = 100) -> AsyncIterator[Server]:
    """Yield a server process for this application."""
    config = Config(app, server_header=False, date_header=False, access_log=False, log_config=None)
    config.load()
    server = Server(config, ServerState(), ConnectionTable(max_connections, asyncio.get_running_loop()))
    yield server
    for connection in server.connections:
        connection.connection_lost(None)
    await asyncio.gather(*server.state.tasks)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with the method, the path and the body; with 400 if the body is incomplete."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            await respond(send, b"body ended", 400)
            return
        body, more = body + message["body"], message["more_body"]
    await respond(send, scope["method"].encode() + b" " + scope["path"].encode() + b" " + body)


async def respond(send: Send, body: bytes, status: int = 200) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
