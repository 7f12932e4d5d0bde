"""A connection of HTTP/1.1: one request at a time, within a budget of bytes and seconds."""

import asyncio
import math
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

import structlog
from starlette.types import Scope
from uvicorn import Config
from uvicorn.server import ServerState

from jeton.http1.connection_table import ConnectionTable
from jeton.http1.request_body import Body, ChunkedBody, SizedBody
from jeton.http1.request_cycle import RequestCycle
from jeton.http1.request_head import HeadReader, RejectedRequestError, RequestHead
from jeton.http1.response_encoder import REJECTIONS

# From the first byte of a request, and for the first one from the connection's start.
HEAD_SECONDS: Final = 10
BODY_SECONDS: Final = 20
# For a client that does not read its answer.
WRITE_SECONDS: Final = 20
IDLE_SECONDS: Final = 75
# After a last answer, for the client to read it before the connection is reset by what it still sends.
LINGER_SECONDS: Final = 1
MAX_DROPPED_BYTES: Final = 64 * 1024
READ_BYTES: Final = 16 * 1024
# At a shutdown: what has arrived is read before a connection counts as idle.
_LAST_LOOK_SECONDS: Final = 0.05

_MAPPED_IPV4: Final = "::ffff:"
# Both event loops fill it and call `buffer_updated` at once: all connections of a process can share it.
_READ_BUFFER: Final = memoryview(bytearray(READ_BYTES))


log = structlog.get_logger("jeton.http")


class Connection(asyncio.BufferedProtocol):
    """Reads requests, runs the application for one after the other, and closes in time.

    While a request is in work, at most one read of what follows is kept; the rest stays in the socket.
    """

    deadline = math.inf

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], table: ConnectionTable
    ) -> None:
        self._app = config.loaded_app
        self._state = server_state
        self._app_state = app_state
        self._table = table
        self._loop = asyncio.get_running_loop()
        self._heads = HeadReader()
        self._buffer = bytearray()
        self._cycle: RequestCycle | None = None
        self._body: Body = SizedBody(0)
        self._drained: asyncio.Future[None] | None = None
        self._has_begun = False
        self._is_reading = True
        self._is_at_end = False
        self._is_lingering = False
        self._dropped = 0
        self.is_last_request = False

    # What the event loop and the server call

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        # Writing counts as under way until the last byte has left for the socket.
        transport.set_write_buffer_limits(0)
        self._client = _address(transport.get_extra_info("peername"))
        self._server = _address(transport.get_extra_info("sockname"))
        self.deadline = self._loop.time() + HEAD_SECONDS
        self._state.connections.add(self)  # type: ignore[arg-type]
        if not self._table.admit(self):
            transport.write(REJECTIONS[503])
            self._close()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _READ_BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        if self._is_lingering:
            self._drop(nbytes)
            return
        self._buffer += _READ_BUFFER[:nbytes]
        if self._cycle is None:
            self._read_head()
        elif not self._body.is_complete:
            self._read_body(self._cycle)
        else:
            self._pause_reading()

    def eof_received(self) -> bool:
        self._is_at_end = True
        if self._cycle is not None:
            self._cycle.end_body()
        elif self._is_lingering or self._drained is None:
            self._close()
        # The transport stays open: what was asked is answered.
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.connections.discard(self)
        self._table.remove(self)
        self.deadline = math.inf
        self._is_lingering = True
        if self._cycle is not None:
            self._cycle.disconnect()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()
        self.deadline = self._loop.time() + WRITE_SECONDS

    def resume_writing(self) -> None:
        if self._drained is None:
            return
        if not self._drained.done():
            self._drained.set_result(None)
        self._drained = None
        if self._is_lingering:
            self.deadline = self._loop.time() + LINGER_SECONDS
        elif self._cycle is None:
            self._await_request()
        else:
            self.deadline = math.inf if self._body.is_complete else self._loop.time() + BODY_SECONDS

    def shutdown(self) -> None:
        """Close as soon as what has arrived is answered. Called by uvicorn."""
        self.is_last_request = True
        self._loop.call_later(_LAST_LOOK_SECONDS, self._close_if_idle)

    # What the table calls

    def expire(self) -> None:
        """End the connection, whose deadline has passed."""
        if self._is_lingering or self._drained is not None or (self._cycle and self._cycle.is_started):
            self.abort()
        elif self._cycle is not None or self._buffer:
            self._reject(408)
        else:
            self._close()

    def abort(self) -> None:
        """Close at once, and drop what is not written."""
        self._is_lingering = True
        self._transport.abort()

    # What the cycle of a request calls

    @property
    def common_headers(self) -> bytes:
        return _rendered(tuple(self._state.default_headers))

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    async def drain(self) -> None:
        while self._drained is not None:
            await self._drained

    def resume_reading(self) -> None:
        if not self._is_reading and not self._is_at_end and not self._transport.is_closing():
            self._is_reading = True
            self._transport.resume_reading()

    def finish(self, *, keeps_alive: bool) -> None:
        """Go on after a complete answer: with the next request, or by closing."""
        self._cycle = None
        self._state.total_requests += 1
        if self._is_lingering:
            return
        if not keeps_alive or self.is_last_request or (self._is_at_end and not self._buffer):
            self._linger()
        else:
            self._table.end_request(self)
            if self._drained is None:
                self._await_request()

    # Reading

    def _await_request(self) -> None:
        self.deadline = self._loop.time() + IDLE_SECONDS
        if self._buffer:
            self._read_head()
        if self._cycle is None and not self._is_lingering:
            if self._is_at_end:
                self._close()
            else:
                self.resume_reading()

    def _read_head(self) -> None:
        try:
            head = self._heads.take(self._buffer)
        except RejectedRequestError as rejected:
            self._reject(rejected.status)
            return
        if head is not None:
            self._begin(head)
        elif not self._has_begun:
            self._has_begun = True
            self.deadline = self._loop.time() + HEAD_SECONDS

    def _begin(self, head: RequestHead) -> None:
        self._table.begin_request(self)
        self._has_begun = False
        self._body = ChunkedBody() if head.content_length is None else SizedBody(head.content_length)
        self._cycle = cycle = RequestCycle(
            self,
            self._scope(head),
            self._body,
            keeps_alive=head.keeps_alive,
            expects_continue=head.expects_continue,
        )
        self.deadline = math.inf if self._body.is_complete else self._loop.time() + BODY_SECONDS
        if self._buffer and not self._body.is_complete:
            self._read_body(cycle)
        if self._is_at_end:
            cycle.end_body()
        if not self._is_lingering:
            task = self._loop.create_task(cycle.run(self._app))
            self._state.tasks.add(task)
            task.add_done_callback(self._state.tasks.discard)

    def _scope(self, head: RequestHead) -> Scope:
        raw_path, _, query = head.target.partition(b"?")
        path = raw_path.decode()
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": head.version,
            "server": self._server,
            "client": self._client,
            "scheme": "http",
            "method": head.method,
            "root_path": "",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": head.fields,
            "state": self._app_state.copy(),
        }

    def _read_body(self, cycle: RequestCycle) -> None:
        try:
            wants_more = cycle.feed(self._body.take(self._buffer))
        except RejectedRequestError as rejected:
            self._reject(rejected.status)
            return
        if self._body.is_complete:
            self.deadline = math.inf
        elif not wants_more:
            self._pause_reading()

    def _pause_reading(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._transport.pause_reading()

    # Ending

    def _reject(self, status: int) -> None:
        cycle, self._cycle = self._cycle, None
        if cycle is not None:
            cycle.disconnect()
            if cycle.is_started:
                self.abort()
                return
        log.info("request_rejected", status=status, ip=self._client and self._client[0])
        self._transport.write(REJECTIONS[status])
        self._linger()

    def _linger(self) -> None:
        """Close in a way that lets the client read its last answer (RFC 9112 section 9.6).

        A connection that is closed while the client still sends is reset, and the answer may be lost with it.
        """
        if self._is_at_end or (self._body.is_complete and not self._buffer):
            self._close()
            return
        self._is_lingering = True
        self._dropped = len(self._buffer)
        self._buffer.clear()
        self.deadline = self._loop.time() + (LINGER_SECONDS if self._drained is None else WRITE_SECONDS)
        self._transport.write_eof()
        self.resume_reading()

    def _drop(self, size: int) -> None:
        self._dropped += size
        if self._dropped > MAX_DROPPED_BYTES:
            self._pause_reading()

    def _close_if_idle(self) -> None:
        if self._cycle is None and not self._buffer and not self._is_lingering:
            self._close()

    def _close(self) -> None:
        """Close when all is written, or when the client did not read it in time."""
        self._is_lingering = True
        self.deadline = self._loop.time() + WRITE_SECONDS
        self._transport.close()


def _address(name: Any) -> tuple[str, int] | None:
    """Return the address and port of a socket. An IPv4 address is written as such on an IPv6 socket, too."""
    if not isinstance(name, tuple):
        return None
    host, port = name[:2]
    return (host.removeprefix(_MAPPED_IPV4) if "." in host else host), port


@lru_cache(maxsize=2)
def _rendered(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Return header lines that are the same for all answers of a second."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)


class ConnectionFactory:
    """Makes the connections of a process, which share their limits. uvicorn is given it as its `http`."""

    def __init__(self, max_connections: int) -> None:
        self._max_connections = max_connections
        # Made in the process that serves: a worker gets a copy of this factory.
        self._table: ConnectionTable | None = None

    def __call__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> Connection:
        if self._table is None:
            self._table = ConnectionTable(self._max_connections, asyncio.get_running_loop())
        return Connection(config, server_state, app_state, self._table)
