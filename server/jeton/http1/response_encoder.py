"""Response encoding (RFC 9112 sections 4 to 7), from the messages of an ASGI application."""

from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Final

_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus if status >= 200
}
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class ResponseEncoder:
    """One response. `keeps_alive` says whether the connection stays open after it."""

    def __init__(self, method: str, version: str) -> None:
        self._method = method
        self._version = version
        self._head: bytes | None = None
        self._left: int | None = 0  # Bytes still to come; None if unknown.
        self._is_chunked = False
        self._has_body = True
        self.keeps_alive = True

    def start(self, status: int, headers: Iterable[tuple[bytes, bytes]], common: bytes, *, keeps_alive: bool) -> None:
        """Prepare the head, which is written together with the first piece of the body.

        `common` is the header lines of every response. Raise ValueError if the status or a header is not valid.
        """
        self._has_body = self._method != "HEAD" and status not in (204, 304)
        self._left = None
        lines: list[bytes] = []
        for name, value in headers:
            lowered = name.lower()
            if lowered == b"content-length":
                self._left = int(value)
                if status == 204:
                    continue
            elif lowered == b"transfer-encoding":
                continue
            elif lowered == b"connection":
                keeps_alive = keeps_alive and b"close" not in value.lower()
                continue
            lines.append(b"%b: %b\r\n" % (lowered, value))
        if self._left is None and self._has_body:
            if self._version == "1.1":
                self._is_chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
            else:
                # The end of the connection is the end of the body.
                keeps_alive = False
        block = b"".join(lines)
        _check_lines(block, len(lines))
        self.keeps_alive = keeps_alive
        closing = b"\r\n" if keeps_alive else b"connection: close\r\n\r\n"
        self._head = b"".join((_STATUS_LINES.get(status) or _unnamed(status), common, block, closing))

    def encode(self, data: bytes, *, more: bool) -> bytes:
        """Return the bytes for the next piece of the body.

        Raise ValueError if the length of the body differs from its Content-Length.
        """
        head, self._head = self._head or b"", None
        if not self._has_body:
            return head
        if self._is_chunked:
            chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            return head + chunk + (b"" if more else b"0\r\n\r\n")
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0 or (self._left and not more):
                raise ValueError("the length of the body differs from its Content-Length")
        return head + data


@lru_cache(maxsize=2)
def render_headers(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Return the header lines. Cached: those of every response change once a second, with the date."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)


def _check_lines(block: bytes, count: int) -> None:
    """Raise ValueError if a name or value contains a line break (response splitting) or a NUL."""
    if not block.count(b"\r") == block.count(b"\n") == block.count(b"\r\n") == count or b"\0" in block:
        raise ValueError("a header field contains a control character")


def _unnamed(status: int) -> bytes:
    if not 200 <= status <= 599:
        raise ValueError(f"{status} is not a valid response status")
    return b"HTTP/1.1 %d \r\n" % status


def render_rejection(status: int, common: bytes, method: str = "") -> bytes:
    """Return the response that the connection itself writes, without running the application. It closes the connection.

    `common` is the header lines of every response. A response to HEAD has no body (RFC 9110 section 9.3.2).
    """
    text = b"" if method == "HEAD" else _REJECTIONS[status]
    return b"".join(
        (
            _STATUS_LINES[status],
            common,
            b"content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n",
            b"content-length: %d\r\nconnection: close\r\n\r\n" % len(_REJECTIONS[status]),
            text,
        )
    )


_REJECTIONS: Final = {it.value: f"{it.phrase}.".encode() for it in map(HTTPStatus, (400, 408, 431, 500, 501, 503, 505))}
