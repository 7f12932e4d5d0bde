"""Request bodies: framing by length or by chunks (RFC 9112 sections 6 and 7)."""

import re
from typing import Final

from jeton.http1.request_head import FIELD_LINE, FORBIDDEN, RejectedRequestError

# Total bytes of chunk sizes, extensions and trailers of one body.
MAX_CHUNK_OVERHEAD: Final = 32 * 1024

_MAX_SIZE_DIGITS: Final = 8
# The size in at most eight digits, which no proxy can misread by overflow, and an extension.
_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[\t\x20-\x7e\x80-\xff]*+)?+")
_CHUNK_LINE_BEGUN: Final = re.compile(rb"[0-9A-Fa-f]{0,8}+(?:(?<=[0-9A-Fa-f]);[\t\x20-\x7e\x80-\xff]*+)?+\r?+")


class SizedBody:
    """A body with a Content-Length."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.is_complete = length == 0

    def take(self, buffer: bytearray) -> bytes:
        """Remove the bytes of the body from the buffer and return them."""
        data = bytes(buffer[: self._left])
        del buffer[: self._left]
        self._left -= len(data)
        self.is_complete = self._left == 0
        return data


class ChunkedBody:
    """A chunked body. Extensions and trailers are checked and discarded (RFC 9110 section 6.5.1)."""

    def __init__(self) -> None:
        self.is_complete = False
        self._left = 0
        self._is_after_data = False
        self._is_in_trailers = False
        self._overhead = 0
        self._searched = 0  # Bytes of an incomplete line without a fault.

    def take(self, buffer: bytearray) -> bytes:
        """Remove the bytes of the body from the buffer and return their content.

        Raise RejectedRequestError if the chunked coding is not valid.
        """
        pieces: list[bytearray] = []
        while not self.is_complete:
            if self._left:
                if not buffer:
                    break
                piece = buffer[: self._left]
                pieces.append(piece)
                del buffer[: self._left]
                self._left -= len(piece)
                self._is_after_data = self._left == 0
            elif not self._take_line(buffer):
                break
        return b"".join(pieces)

    def _take_line(self, buffer: bytearray) -> bool:
        """Take a line between two pieces of content. Return False if it is not complete yet."""
        end = buffer.find(b"\r\n", self._searched, MAX_CHUNK_OVERHEAD)
        line = bytes(buffer[: end if end >= 0 else MAX_CHUNK_OVERHEAD])
        if self._overhead + len(line) > MAX_CHUNK_OVERHEAD:
            raise RejectedRequestError(400)
        if end < 0:
            self._check_unfinished(line)
            # Search the last byte again: it may be a CR whose LF has not arrived.
            self._searched = max(len(line) - 1, 0)
            return False
        self._searched = 0
        self._overhead += len(line) + 2
        del buffer[: end + 2]
        self._apply(line)
        return True

    def _check_unfinished(self, line: bytes) -> None:
        if self._is_after_data:
            is_possible = line in (b"", b"\r")
        elif self._is_in_trailers or self._searched > _MAX_SIZE_DIGITS:
            # In a trailer or an extension, which has been checked up to `_searched`.
            is_possible = not FORBIDDEN.search(line, self._searched)
        else:
            is_possible = bool(_CHUNK_LINE_BEGUN.fullmatch(line))
        if not is_possible or len(line) >= MAX_CHUNK_OVERHEAD:
            raise RejectedRequestError(400)

    def _apply(self, line: bytes) -> None:
        if self._is_after_data:
            if line:
                raise RejectedRequestError(400)
            self._is_after_data = False
        elif self._is_in_trailers:
            if line and not FIELD_LINE.fullmatch(line):
                raise RejectedRequestError(400)
            self.is_complete = not line
        else:
            found = _CHUNK_LINE.fullmatch(line)
            if found is None:
                raise RejectedRequestError(400)
            self._left = int(found[1], 16)
            self._is_in_trailers = self._left == 0


Body = SizedBody | ChunkedBody
