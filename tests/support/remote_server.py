"""An HTTP server on loopback that stands for a server of others: it records requests and sends the given responses."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, TypeAlias
from urllib.parse import SplitResult, urlsplit

from anyio.from_thread import start_blocking_portal


@dataclass(frozen=True, slots=True)
class RemoteRequest:
    """A received request. Names of header fields are in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def url(self) -> SplitResult:
        return urlsplit(self.line.split(" ")[1])


# Returns the bytes of the response, including its head.
Respond: TypeAlias = Callable[[RemoteRequest], Awaitable[bytes]]


@dataclass(slots=True)
class RemoteServer:
    port: int
    requests: list[RemoteRequest] = field(default_factory=list)


def response(status: str = "200 OK", body: bytes = b"", *headers: str) -> bytes:
    """Return a complete response."""
    always = (f"Date: {formatdate(usegmt=True)}", f"Content-Length: {len(body)}", "Connection: close")
    return "\r\n".join([f"HTTP/1.1 {status}", *always, *headers, "", ""]).encode() + body


def json_response(content: Any, status: str = "200 OK", *headers: str) -> bytes:
    return response(status, json.dumps(content).encode(), "Content-Type: application/json", *headers)


@asynccontextmanager
async def remote_server(
    respond: Respond | bytes, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[RemoteServer]:
    """Serve on this port, or on a free one. A handler that never returns is cancelled at the end."""
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            request = await _read(reader)
            server.requests.append(request)
            writer.write(respond if isinstance(respond, bytes) else await respond(request))
            await writer.drain()
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # Browsers also open connections that they do not use.
        finally:
            handlers.discard(task)
            writer.close()

    listening = await asyncio.start_server(handle, host, port, ssl=tls)
    server = RemoteServer(listening.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        listening.close()
        for task in tuple(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


@contextmanager
def threaded_server(
    respond: Respond, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> Iterator[RemoteServer]:
    """Serve in a thread, for tests without an event loop."""
    serving = remote_server(respond, tls, host, port)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serving) as server:
        yield server


async def _read(reader: asyncio.StreamReader) -> RemoteRequest:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (it.partition(":") for it in lines[1:] if it)}
    return RemoteRequest(lines[0], headers, await reader.readexactly(int(headers.get("content-length", "0"))))
