"""Reading a request: its header fields, its source and its form, within limits; refused rather than guessed."""

import re
from collections.abc import Mapping
from typing import Final

from starlette.types import Receive, Scope

from jeton.endpoints.messages import FormRequest
from jeton.http.form_parsing import MAX_BYTES, check_media_type, parse_form
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.sessions import Source

_MAX_USER_AGENT: Final = 256
_IDEMPOTENCY_KEY: Final = re.compile(r"[\x20-\x7E]{1,255}")
_SINGLE: Final = frozenset({b"authorization", b"idempotency-key", b"content-type", b"origin"})


class RefusedUnreadError(Exception):
    """Refused before any endpoint is asked, with a status of HTTP's own."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.error = OAuthError(ErrorCode.INVALID_REQUEST, sentence)


def header_fields(scope: Scope) -> dict[bytes, str]:
    """Header fields by lower-case name. One that must be single and is not is kept as `repeated`."""
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in headers and name in _SINGLE:
            headers[b"repeated"] = name.decode("latin-1")
        headers[name] = value.decode("latin-1")
    return headers


async def read_form_request(scope: Scope, headers: Mapping[bytes, str], receive: Receive) -> FormRequest:
    """A form request: nothing in the URI, everything in the body."""
    if scope["query_string"]:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "Send parameters in the request body, not in the URI.")
    check_single(headers)
    check_media_type(headers.get(b"content-type"))
    if headers.get(b"content-encoding", "identity").lower() != "identity":
        raise RefusedUnreadError(415, "The body must not be compressed.")
    idempotency_key = headers.get(b"idempotency-key")
    if idempotency_key is not None and not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "Idempotency-Key must be 1 to 255 printable ASCII characters.")
    form = parse_form(await _body(headers, receive))
    source = source_of(scope, headers)
    return FormRequest(form.parameters, headers.get(b"authorization"), idempotency_key, source, form.lists)


def check_single(headers: Mapping[bytes, str]) -> None:
    if b"repeated" in headers:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "A header field that must be single is sent more than once.")


def address_of(scope: Scope) -> str | None:
    """Return the client's address, or None on a Unix socket. An IPv4 peer of an IPv6 socket has its IPv4 address."""
    if not scope.get("client"):
        return None
    host: str = scope["client"][0]
    return host.removeprefix("::ffff:") if "." in host else host


def source_of(scope: Scope, headers: Mapping[bytes, str]) -> Source:
    user_agent = headers.get(b"user-agent")
    return Source(address_of(scope), user_agent and user_agent[:_MAX_USER_AGENT])


async def _body(headers: Mapping[bytes, str], receive: Receive) -> bytes:
    """The whole body, never more of it in memory than is allowed."""
    declared = headers.get(b"content-length", "0")
    if not declared.isdecimal() or int(declared) > MAX_BYTES:
        raise RefusedUnreadError(413, f"The body must not exceed {MAX_BYTES} bytes.")
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedUnreadError(400, "The request ended before its body did.")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BYTES:
            raise RefusedUnreadError(413, f"The body must not exceed {MAX_BYTES} bytes.")
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)
