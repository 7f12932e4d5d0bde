"""Request heads (RFC 9112 sections 2 to 6), by a strict grammar. Invalid input is rejected, never repaired."""

import re
from dataclasses import dataclass
from typing import Final

MAX_BYTES: Final = 32 * 1024
MAX_FIELDS: Final = 100

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_REQUEST_LINE: Final = rb"(" + _TOKEN + rb") ([\x21\x22\x24-\x7e]++) HTTP/([0-9])\.([0-9])"
_FIELD_LINE: Final = _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+"
_HEAD: Final = re.compile(_REQUEST_LINE + rb"\r\n((?:" + _FIELD_LINE + rb"\r\n)*+)\r\n")
_LINE_OF_REQUEST: Final = re.compile(_REQUEST_LINE)
FIELD_LINE: Final = re.compile(_FIELD_LINE)
# In a line whose end has not arrived: a control character, or a CR that is not followed by LF.
FORBIDDEN: Final = re.compile(rb"[\x00-\x08\x0a-\x0c\x0e-\x1f\x7f]|\r(?!\n|\Z)")

# An http(s) URI: its authority, and its path and query (RFC 9112 section 3.2.2).
_ABSOLUTE_FORM: Final = re.compile(rb"(?i:https?)://([^/?]++)(.*+)")
# uri-host [":" port] (RFC 3986 section 3.2.2); empty where the target has no authority.
_HOST: Final = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
_CONTENT_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
_CONNECTION_FIELDS: Final = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"connection", b"expect"},
)

Field = tuple[bytes, bytes]


class RejectedRequestError(Exception):
    """The request is rejected with this HTTP status, and the connection is closed."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True)
class RequestHead:
    """A request without its body. `target` is a path with its query, or `*`. Field names are in lower case."""

    method: str
    target: bytes
    version: str
    fields: list[Field]
    content_length: int | None  # None: the body is chunked
    keeps_alive: bool
    expects_continue: bool


class HeadReader:
    """Reads one head after the other from the start of a growing buffer.

    The result does not depend on how the bytes are split: the first fault in their order decides.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._is_at_start = True
        self._checked = 0  # Bytes of complete lines without a fault.
        self._searched = 0  # Bytes without a fault, including those of an incomplete line.
        self._lines = 0

    def take(self, buffer: bytearray) -> RequestHead | None:
        """Remove the head from the buffer and return it, or return None if it is not complete yet.

        Raise RejectedRequestError at the first fault.
        """
        if self._is_at_start:
            # One empty line before a request line is ignored (RFC 9112 section 2.2).
            if bytes(buffer[:2]) in (b"", b"\r"):
                return None
            if buffer.startswith(b"\r\n"):
                del buffer[:2]
            self._is_at_start = False
        end = buffer.find(b"\r\n\r\n", max(self._searched - 2, 0), MAX_BYTES)
        found = _HEAD.fullmatch(buffer, 0, end + 4) if end >= 0 else None
        if found is None:
            self._check_lines(buffer)
            return None
        head = _parse(found)
        del buffer[: end + 4]
        self._reset()
        return head

    def _check_lines(self, buffer: bytearray) -> None:
        """Check the received lines. Search each byte once, however small the segments are."""
        while (end := buffer.find(b"\r\n", self._searched, MAX_BYTES)) >= 0:
            self._check_line(bytes(buffer[self._checked : end]))
            self._checked = self._searched = end + 2
            self._lines += 1
        if self._lines > MAX_FIELDS and bytes(buffer[self._checked : self._checked + 2]) not in (b"", b"\r"):
            raise RejectedRequestError(431)
        if FORBIDDEN.search(buffer, self._searched, MAX_BYTES):
            raise RejectedRequestError(400)
        # Search the last byte again: it may be a CR whose LF has not arrived.
        self._searched = max(len(buffer) - 1, self._checked)
        if len(buffer) >= MAX_BYTES:
            raise RejectedRequestError(431)

    def _check_line(self, line: bytes) -> None:
        if self._lines > MAX_FIELDS and line:
            raise RejectedRequestError(431)
        if self._lines == 0:
            found = _LINE_OF_REQUEST.fullmatch(line)
            if found is None:
                raise RejectedRequestError(400)
            _check_request_line(*found.groups())
        elif not FIELD_LINE.fullmatch(line):
            raise RejectedRequestError(400)


def _check_request_line(method: bytes, target: bytes, major: bytes, _minor: bytes) -> None:
    if major != b"1":
        raise RejectedRequestError(400 if major == b"0" else 505)
    if method == b"CONNECT":
        raise RejectedRequestError(501)
    if not (target.startswith(b"/") or (target == b"*" and method == b"OPTIONS") or _ABSOLUTE_FORM.fullmatch(target)):
        raise RejectedRequestError(400)


def _parse(found: re.Match[bytes]) -> RequestHead:
    method, target, major, minor, block = found.groups()
    _check_request_line(method, target, major, minor)
    lines = block.split(b"\r\n")
    lines.pop()
    if len(lines) > MAX_FIELDS:
        raise RejectedRequestError(431)
    fields: list[Field] = []
    known: dict[bytes, list[bytes]] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip(b" \t")
        fields.append((name, value))
        if name in _CONNECTION_FIELDS:
            known.setdefault(name, []).append(value)
    # A later minor version is served as HTTP/1.1 (RFC 9110 section 2.5).
    version = "1.0" if minor == b"0" else "1.1"
    _check_host(known.get(b"host", []), version)
    if not target.startswith(b"/"):
        target, fields = _origin_form(target, fields)
    return RequestHead(
        method.decode(),
        target,
        version,
        fields,
        _body_length(known.get(b"content-length"), known.get(b"transfer-encoding"), version),
        version == "1.1" and b"close" not in _elements(known.get(b"connection")),
        version == "1.1" and b"100-continue" in _elements(known.get(b"expect")),
    )


def _elements(values: list[bytes] | None) -> list[bytes]:
    """Return the elements of a comma-separated field, in lower case."""
    return [element.strip(b" \t") for element in b",".join(values).lower().split(b",")] if values else []


def _check_host(hosts: list[bytes], version: str) -> None:
    """Check that there is one valid Host field (RFC 9112 section 3.2); HTTP/1.0 may omit it."""
    if len(hosts) > 1 or not all(map(_HOST.fullmatch, hosts)) or (not hosts and version == "1.1"):
        raise RejectedRequestError(400)


def _origin_form(target: bytes, fields: list[Field]) -> tuple[bytes, list[Field]]:
    """Return the path and query of a target in absolute form, and the fields with the target's authority as Host."""
    found = _ABSOLUTE_FORM.fullmatch(target)
    if found is None:
        return target, fields
    authority, rest = found.groups()
    if not _HOST.fullmatch(authority):
        raise RejectedRequestError(400)
    path = rest if rest.startswith(b"/") else b"/" + rest
    return path, [(b"host", authority), *(field for field in fields if field[0] != b"host")]


def _body_length(lengths: list[bytes] | None, codings: list[bytes] | None, version: str) -> int | None:
    """Return the length of the body, or None if it is chunked (RFC 9112 section 6.3)."""
    if codings is not None:
        if lengths is not None or version == "1.0":
            raise RejectedRequestError(400)
        *others, last = _elements(codings)
        if last != b"chunked" or b"chunked" in others:
            raise RejectedRequestError(400)
        if others:
            raise RejectedRequestError(501)
        return None
    if lengths is None:
        return 0
    if len(lengths) > 1 or not _CONTENT_LENGTH.fullmatch(lengths[0]):
        raise RejectedRequestError(400)
    return int(lengths[0])
