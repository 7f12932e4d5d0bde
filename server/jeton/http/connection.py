"""A connection of uvicorn's: request heads of bounded size and for one host, and each answer in one piece."""

import asyncio
import re
from typing import Any, Final

from jeton.http.head_limit import BoundedHeads

# uri-host [":" port] (RFC 3986 section 3.2.2); empty where the target has no authority.
_HOST: Final = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")


class _HostError(Exception):
    """The request does not say for which one host it is."""


class Connection(BoundedHeads):
    """Wants one Host (RFC 9112 section 3.2), and sends the head of an answer together with its body.

    uvicorn writes head and body one after the other, and uvloop sends each write at once: two packets, and a client
    that is woken for a head that it can do nothing with.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._whole_answers = _WholeAnswers(transport)
        super().connection_made(self._whole_answers)

    def on_headers_complete(self) -> None:
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or not all(map(_HOST.fullmatch, hosts)):
            raise _HostError
        if not hosts and self.parser.get_http_version() != "1.0":
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
        self._is_answering = False
        self._head = b""

    def write(self, data: Any) -> None:
        if not self._is_answering and not data.startswith(b"HTTP/1.1 100 "):
            self._is_answering, self._head = True, data
        else:
            self._transport.write(self._head + data)
            self._head = b""

    def send_rest(self) -> None:
        if self._head:
            self.write(b"")
        self._is_answering = False

    def close(self) -> None:
        self.send_rest()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()
