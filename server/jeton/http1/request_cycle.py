"""One request and its response: runs the ASGI application (ASGI HTTP, spec version 2.3)."""

import asyncio
from typing import Final, Protocol

import structlog
from starlette.types import ASGIApp, Message, Scope

from jeton.http1.request_body import Body
from jeton.http1.response_encoder import CONTINUE, ResponseEncoder, render_rejection

# Reading pauses while the application has not taken more than this many bytes of the body.
MAX_UNREAD_BODY: Final = 64 * 1024

log = structlog.get_logger("jeton.http")


class CycleConnection(Protocol):
    """The part of a connection that a request cycle uses."""

    @property
    def common_headers(self) -> bytes: ...
    @property
    def is_last_request(self) -> bool: ...
    def write(self, data: bytes) -> None: ...
    async def drain(self) -> None: ...
    def resume_reading(self) -> None: ...
    def finish(self, *, keeps_alive: bool) -> None: ...
    def abort(self) -> None: ...


class RequestCycle:
    """Runs the application for one request, passes it the body and writes its response."""

    def __init__(
        self, connection: CycleConnection, scope: Scope, body: Body, *, keeps_alive: bool, expects_continue: bool
    ) -> None:
        self._connection = connection
        self._scope = scope
        self._body = body
        self._keeps_alive = keeps_alive
        self._expects_continue = expects_continue
        self._encoder = ResponseEncoder(scope["method"], scope["http_version"])
        self._pieces: list[bytes] = []
        self._unread = 0
        self._is_body_taken = False
        self._is_body_ended = False
        self._is_disconnected = False
        self._arrival: asyncio.Future[None] | None = None
        self.is_started = False
        self.is_complete = False

    @property
    def method(self) -> str:
        return str(self._scope["method"])

    def feed(self, data: bytes) -> bool:
        """Add a piece of the body. Return False if reading is to pause until the application has taken it."""
        if data:
            self._pieces.append(data)
            self._unread += len(data)
        self._wake()
        return self._unread <= MAX_UNREAD_BODY

    def end_body(self) -> None:
        """Record that no more of the body will arrive. The client may still read a response."""
        self._is_body_ended = True
        self._wake()

    def disconnect(self) -> None:
        """Record that the client is gone: the response is discarded."""
        self._is_disconnected = self._is_body_ended = True
        self._wake()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    async def run(self, app: ASGIApp) -> None:
        """Run the application. If it fails, answer with status 500, or abort a response that has begun."""
        try:
            await app(self._scope, self._receive, self._send)
            if self.is_complete or self._is_disconnected:
                return
            log.error("application_did_not_answer", method=self._scope["method"])
        except Exception:
            log.exception("application_failed", method=self._scope["method"])
        if self.is_started:
            if not self.is_complete:
                self._connection.abort()
        elif not self._is_disconnected:
            self.is_started = self.is_complete = True
            self._connection.write(render_rejection(500, self._connection.common_headers, self.method))
            self._connection.finish(keeps_alive=False)

    async def _receive(self) -> Message:
        while not (self._pieces or self._is_whole() or self._is_body_ended or self.is_complete):
            await self._wait_for_body()
        if self.is_complete or not (self._pieces or self._is_whole()):
            return {"type": "http.disconnect"}
        data, self._pieces, self._unread = b"".join(self._pieces), [], 0
        self._is_body_taken = self._body.is_complete
        return {"type": "http.request", "body": data, "more_body": not self._body.is_complete}

    def _is_whole(self) -> bool:
        return self._body.is_complete and not self._is_body_taken

    async def _wait_for_body(self) -> None:
        if self._expects_continue and not self.is_started and not self._body.is_complete:
            self._connection.write(CONTINUE)
        self._expects_continue = False
        self._connection.resume_reading()
        self._arrival = asyncio.get_running_loop().create_future()
        await self._arrival

    async def _send(self, message: Message) -> None:
        await self._connection.drain()
        if self._is_disconnected:
            return
        kind = message["type"]
        if kind == "http.response.start" and not self.is_started:
            self._encoder.start(
                message["status"],
                message.get("headers", ()),
                self._connection.common_headers,
                # An unread rest of the body would have to be read before the next request.
                keeps_alive=self._keeps_alive and self._body.is_complete and not self._connection.is_last_request,
            )
            self.is_started = True
        elif kind == "http.response.body" and self.is_started and not self.is_complete:
            more = message.get("more_body", False)
            self._connection.write(self._encoder.encode(message.get("body", b""), more=more))
            if not more:
                self.is_complete = True
                self._wake()
                self._connection.finish(keeps_alive=self._encoder.keeps_alive)
        else:
            raise RuntimeError(f"the ASGI message {kind} is not allowed in this state of the response")
