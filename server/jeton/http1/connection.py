"""An HTTP/1.1 connection: one request at a time, with limits of bytes and seconds (ADR 0015)."""

import asyncio
import math
from contextvars import Context
from typing import Any, Final

import structlog
from uvicorn import Config
from uvicorn.server import ServerState

from jeton.http1.asgi_scope import request_scope, socket_address
from jeton.http1.connection_table import ConnectionTable
from jeton.http1.request_body import Body, ChunkedBody, SizedBody
from jeton.http1.request_cycle import RequestCycle
from jeton.http1.request_head import HeadReader, RejectedRequestError, RequestHead
from jeton.http1.response_encoder import render_headers, render_rejection

# Deadlines in seconds. For a head: from its first byte, and for the first request from the start of the connection.
HEAD_SECONDS: Final = 10
BODY_SECONDS: Final = 20
# For a client that does not read the response.
WRITE_SECONDS: Final = 20
IDLE_SECONDS: Final = 75
# After the last response, for the client to read it while it still sends (see `_linger`).
LINGER_SECONDS: Final = 1
MAX_DROPPED_BYTES: Final = 64 * 1024
READ_BYTES: Final = 16 * 1024
# At a shutdown: time to read what has arrived before a connection counts as idle.
_SHUTDOWN_DELAY_SECONDS: Final = 0.05

# Shared by all connections of a process: the event loop fills it and calls `buffer_updated` without a pause.
_READ_BUFFER: Final = memoryview(bytearray(READ_BYTES))

log = structlog.get_logger("jeton.http")


class Connection(asyncio.BufferedProtocol):
    """Reads requests, runs the application for one after the other, and enforces the deadlines.

    While a request is processed, at most one read of later data is buffered; the rest stays in the socket.
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

    # Called by the event loop and by uvicorn

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        # Writing counts as in progress until the last byte is in the socket.
        transport.set_write_buffer_limits(0)
        self._client = socket_address(transport.get_extra_info("peername"))
        self._server = socket_address(transport.get_extra_info("sockname"))
        self._set_deadline(HEAD_SECONDS)
        self._state.connections.add(self)  # type: ignore[arg-type]
        if not self._table.admit(self):
            transport.write(render_rejection(503, self.common_headers))
            self._close()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _READ_BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        if self._is_lingering:
            self._drop(nbytes)
            return
        self._buffer += _READ_BUFFER[:nbytes]
        if self._cycle is not None and not self._body.is_complete:
            self._read_body(self._cycle)
        elif self._cycle is None and self._drained is None:
            self._read_head()
        else:
            # A request is in progress, or its response is not sent: the next one would extend the deadline.
            self._pause_reading()

    def eof_received(self) -> bool:
        self._is_at_end = True
        if self._cycle is not None:
            self._cycle.end_body()
        elif self._is_lingering or self._drained is None:
            self._close()
        # Keep the transport open: the response is still sent.
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
        self._set_deadline(WRITE_SECONDS)

    def resume_writing(self) -> None:
        if self._drained is None:
            return
        if not self._drained.done():
            self._drained.set_result(None)
        self._drained = None
        if self._is_lingering:
            self._set_deadline(LINGER_SECONDS)
        elif self._cycle is None:
            self._await_request()
        else:
            self._set_deadline(math.inf if self._body.is_complete else BODY_SECONDS)

    def shutdown(self) -> None:
        """Close as soon as received requests are answered."""
        self.is_last_request = True
        self._loop.call_later(_SHUTDOWN_DELAY_SECONDS, self._close_if_idle)

    # Called by the connection table

    def expire(self) -> None:
        """End the connection: its deadline has passed."""
        if self._is_lingering or self._drained is not None or (self._cycle and self._cycle.is_started):
            self.abort()
        elif self._cycle is not None or self._buffer:
            self._reject(408)
        else:
            self._close()

    def abort(self) -> None:
        """Close at once and discard unwritten data."""
        self._is_lingering = True
        self._transport.abort()

    # Called by the request cycle

    @property
    def common_headers(self) -> bytes:
        """The header lines of every response: server and date."""
        return render_headers(tuple(self._state.default_headers))

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait until all data is written to the socket."""
        while self._drained is not None:
            await self._drained

    def resume_reading(self) -> None:
        if not self._is_reading and not self._is_at_end and not self._transport.is_closing():
            self._is_reading = True
            self._transport.resume_reading()

    def finish(self, *, keeps_alive: bool) -> None:
        """Continue after a complete response: with the next request, or by closing."""
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
        self._set_deadline(IDLE_SECONDS)
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
            self._set_deadline(HEAD_SECONDS)

    def _begin(self, head: RequestHead) -> None:
        self._table.begin_request(self)
        self._has_begun = False
        self._body = ChunkedBody() if head.content_length is None else SizedBody(head.content_length)
        self._cycle = cycle = RequestCycle(
            self,
            request_scope(head, self._client, self._server, self._app_state),
            self._body,
            keeps_alive=head.keeps_alive,
            expects_continue=head.expects_continue,
        )
        self._set_deadline(math.inf if self._body.is_complete else BODY_SECONDS)
        if self._buffer and not self._body.is_complete:
            self._read_body(cycle)
        if self._is_at_end:
            cycle.end_body()
        if not self._is_lingering:
            task = self._loop.create_task(cycle.run(self._app))
            self._state.tasks.add(task)
            task.add_done_callback(self._state.tasks.discard)

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

    def _set_deadline(self, seconds: float) -> None:
        self.deadline = self._loop.time() + seconds

    def _reject(self, status: int) -> None:
        cycle, self._cycle = self._cycle, None
        if cycle is not None:
            cycle.disconnect()
            if cycle.is_started:
                self.abort()
                return
        # Not in the context of this call, which may be that of the request before.
        Context().run(log.info, "request_rejected", status=status, ip=self._client and self._client[0])
        self._transport.write(render_rejection(status, self.common_headers, cycle.method if cycle else ""))
        self._linger()

    def _linger(self) -> None:
        """Stop writing, but read on for a moment before closing, so that the client can read its last response.

        A connection that is closed while the client still sends is reset, and the response may be lost (RFC 9112
        section 9.6).
        """
        if self._is_at_end or (self._body.is_complete and not self._buffer):
            self._close()
            return
        self._is_lingering = True
        self._dropped = len(self._buffer)
        self._buffer.clear()
        self._set_deadline(LINGER_SECONDS if self._drained is None else WRITE_SECONDS)
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
        """Close when all data is written, at the latest at the write deadline."""
        self._is_lingering = True
        self._set_deadline(WRITE_SECONDS)
        self._transport.close()
