"""A proxy that forwards each request and drops every n-th response."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

_TIMEOUT_SECONDS: Final = 15


@dataclass
class LossyProxy:
    """A proxy with one request per connection."""

    port: int
    server_port: int
    every: int = 3
    passed: int = 0
    lost: int = 0

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                answer = await self._forward(await _request(client))
                self.passed += 1
                if self.passed % self.every == 0:
                    self.lost += 1
                else:
                    back.write(answer)
                    await back.drain()
        except (OSError, EOFError, TimeoutError):
            pass  # An unavailable server counts as a lost response.
        finally:
            with suppress(OSError):
                back.close()
                await back.wait_closed()

    async def _forward(self, request: bytes) -> bytes:
        answers, writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        try:
            writer.write(request)
            return await answers.read()
        finally:
            writer.close()


async def _request(client: asyncio.StreamReader) -> bytes:
    """Read a request with its body. Return it with `Connection: close`."""
    head = await client.readuntil(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    lengths = [int(line.partition(b":")[2]) for line in lines if line.lower().startswith(b"content-length:")]
    body = await client.readexactly(lengths[0]) if lengths else b""
    return b"\r\n".join([lines[0], b"Connection: close", *lines[1:]]) + body


@asynccontextmanager
async def lossy_proxy(port: int, server_port: int) -> AsyncIterator[LossyProxy]:
    proxy = LossyProxy(port, server_port)
    async with await asyncio.start_server(proxy.serve, "127.0.0.1", port):
        yield proxy
