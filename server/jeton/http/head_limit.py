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
    """Closes a connection whose request line and headers are too large, before they are all there."""

    _is_in_head = True
    _begun = 0
    _received = 0

    def data_received(self, data: bytes) -> None:
        begun = self._begun
        super().data_received(data)
        # A head that does not end counts by what was received, since a single field may be endless; but for the read in
        # which it began, which may hold much else.
        if self._is_in_head and self._begun == begun:
            self._received += len(data)
            if self._received > MOST_BYTES and not self.transport.is_closing():
                self._refuse()

    def on_message_begin(self) -> None:
        self._begun += 1
        self._is_in_head, self._received = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._is_too_large():
            raise _TooLargeError
        self._is_in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if self._begun and self._is_in_head and self._is_too_large():
            self._refuse()
        else:
            super().send_400_response(msg)

    def _is_too_large(self) -> bool:
        return len(self.headers) > MOST_HEADERS or sum(map(_length, self.headers)) > MOST_BYTES

    def _refuse(self) -> None:
        self.transport.write(_REFUSAL)
        self.transport.close()


def _length(field: tuple[bytes, bytes]) -> int:
    name, value = field
    return len(name) + len(value)
