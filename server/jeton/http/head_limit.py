"""Request heads of bounded size (RFC 6585 section 5): uvicorn with httptools keeps headers of any size in memory."""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES: Final = 32 * 1024
MOST_HEADERS: Final = 100

_TOO_LARGE: Final = b"The request line and headers are too large."
_REFUSAL: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\n"
    b"content-length: " + str(len(_TOO_LARGE)).encode() + b"\r\n"
    b"connection: close\r\n\r\n" + _TOO_LARGE
)


class _TooLargeError(Exception):
    """The head is larger than anybody needs."""


class BoundedHeads(HttpToolsProtocol):
    """Closes a connection whose request line, headers or trailers are too large, before they are all there."""

    _is_open = True
    _is_in_head = True
    _progress = 0
    _received = 0

    def data_received(self, data: bytes) -> None:
        progress = self._progress
        super().data_received(data)
        # Whatever is neither head nor body counts by what was received, since a single field may be endless; but for
        # the read in which a head or a piece of body came, which may hold much else.
        if self._is_open and self._progress == progress:
            self._received += len(data)
            if self._received > MOST_BYTES and not self.transport.is_closing():
                self._refuse()

    def on_message_begin(self) -> None:
        self._progressed()
        self._is_open = self._is_in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_in_head:
            # A trailer is no header (RFC 9110 section 6.5.1).
            return
        super().on_header(name, value)
        if len(self.headers) > MOST_HEADERS:
            raise _TooLargeError

    def on_headers_complete(self) -> None:
        if self._is_too_large():
            raise _TooLargeError
        self._is_in_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._progressed()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_open = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if self._progress and self._is_in_head and self._is_too_large():
            self._refuse()
        else:
            super().send_400_response(msg)

    def _progressed(self) -> None:
        self._progress += 1
        self._received = 0

    def _is_too_large(self) -> bool:
        fields = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.headers) > MOST_HEADERS or len(self.url) + fields > MOST_BYTES

    def _refuse(self) -> None:
        # After the head, there may be an answer already.
        if self._is_in_head:
            self.transport.write(_REFUSAL)
        self.transport.close()
