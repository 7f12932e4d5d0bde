"""A connection of uvicorn's: request heads of bounded size and for one host, and each answer in one piece."""

import asyncio
from typing import Any

from jeton.http.head_limit import BoundedHeads


class _HostError(Exception):
    """The request does not say for which host it is, or says it twice."""


class Connection(BoundedHeads):
    """Sends the head of an answer together with its body, and wants one Host (RFC 9112 section 3.2).

    uvicorn writes them one after the other, and uvloop sends each write at once: two packets, and a client that is
    woken for a head that it can do nothing with.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._whole_answers = _WholeAnswers(transport)
        super().connection_made(self._whole_answers)

    def on_headers_complete(self) -> None:
        hosts = [name for name, _ in self.headers].count(b"host")
        if hosts != 1 and (hosts or self.parser.get_http_version() == "1.1"):
            raise _HostError
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        # An answer to HEAD has no body to take its head along.
        self._whole_answers.send_rest()
        super().on_response_complete()


class _WholeAnswers(asyncio.Transport):
    """A transport on which a final answer's head waits for what is written next."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._head = b""

    def write(self, data: Any) -> None:
        if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100 ") and not self._head:
            self._head = data
        else:
            self._transport.write(self._head + data)
            self._head = b""

    def send_rest(self) -> None:
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self.send_rest()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()
