"""An HTTP server on loopback that stands for a server of others: it records requests and sends the given responses."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class RemoteRequest:
    """A received request. Names of header fields are in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


# Returns the bytes of the response, including its head.
Respond: TypeAlias = Callable[[RemoteRequest], Awaitable[bytes]]


@dataclass(slots=True)
class RemoteServer:
    port: int
    requests: list[RemoteRequest] = field(default_factory=list)


def response(status: str = "200 OK", body: bytes = b"", *headers: str) -> bytes:
    """Return a complete response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@asynccontextmanager
async def remote_server(respond: Respond | bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[RemoteServer]:
    """Serve on a free port of 127.0.0.1. A handler that never returns is cancelled at the end."""
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
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            handlers.discard(task)
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    server = RemoteServer(listening.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        listening.close()
        for task in tuple(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> RemoteRequest:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (it.partition(":") for it in lines[1:] if it)}
    return RemoteRequest(lines[0], headers, await reader.readexactly(int(headers.get("content-length", "0"))))
