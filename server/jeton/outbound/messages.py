"""What is requested of other servers, and what comes of it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Self
from urllib.parse import urlsplit

from jeton.frozen import Frozen

_MAX_URI_CHARACTERS: Final = 2048


class OutboundFailure(StrEnum):
    """Why there is no response."""

    INVALID_URI = "invalid_uri"
    HOST_NOT_FOUND = "host_not_found"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    CONNECTION_FAILED = "connection_failed"
    TLS_FAILED = "tls_failed"
    TIMED_OUT = "timed_out"
    TOO_LARGE = "too_large"
    INVALID_RESPONSE = "invalid_response"


class OutboundError(Exception):
    """There is no response. The reason is a fixed word, which may be logged and shown."""

    def __init__(self, reason: OutboundFailure) -> None:
        super().__init__(reason.value)
        self.reason = reason


class OutboundResponse(Frozen):
    """A complete response. Names of headers are in lower case; repeated ones are joined by a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Target(Frozen):
    """An absolute URI, taken apart: where to connect to, and what to request there."""

    secure: bool
    host: str
    port: int
    authority: str
    path: str

    @classmethod
    def parse(cls, uri: str) -> Self:
        """Raise OutboundError for what is not an http(s) URI, and for one with user information or a fragment."""
        if len(uri) > _MAX_URI_CHARACTERS or not all("!" <= it <= "~" and it != "\\" for it in uri):
            raise OutboundError(OutboundFailure.INVALID_URI)
        try:
            parts = urlsplit(uri)
            port = parts.port
        except ValueError as error:
            raise OutboundError(OutboundFailure.INVALID_URI) from error
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or "#" in uri:
            raise OutboundError(OutboundFailure.INVALID_URI)
        secure = parts.scheme == "https"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(secure, parts.hostname, port or (443 if secure else 80), parts.netloc, path)
