"""Parsing of a request: its header fields, its source and its form, within limits."""

import re
from collections.abc import Mapping
from typing import Final

from starlette.types import Receive, Scope

from jeton.endpoints.messages import FormRequest
from jeton.http.form_parsing import MAX_BYTES, check_media_type, parse_form
from jeton.oauth.errors import malformed_request
from jeton.oauth.sessions import Source

MAX_USER_AGENT: Final = 256
_IDEMPOTENCY_KEY: Final = re.compile(r"[\x20-\x7E]{1,255}")
# Not a name that a header field can have (RFC 9110 section 5.1).
_REPEATED: Final = b":repeated"
_SINGLE: Final = frozenset({b"authorization", b"idempotency-key", b"content-type", b"origin", b"x-jeton"})


def header_fields(scope: Scope) -> dict[bytes, str]:
    """Return the header fields by lower-case name. `_REPEATED` stands for a field that must be single and is not."""
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        text = value.decode("latin-1")
        if name in headers:
            if name in _SINGLE:
                headers[_REPEATED] = name.decode("latin-1")
            elif name == b"cookie":  # RFC 9113 section 8.2.3
                text = f"{headers[name]}; {text}"
            elif name == b"dpop":  # RFC 9110 section 5.3. No proof has a comma, so that two are refused as malformed.
                text = f"{headers[name]}, {text}"
        headers[name] = text
    return headers


async def read_form_request(scope: Scope, headers: Mapping[bytes, str], receive: Receive) -> FormRequest:
    """Return the form request. Raise OAuthError if it is malformed, too large, or has parameters in the URI."""
    if scope["query_string"]:
        raise malformed_request("Send parameters in the request body, not in the URI.")
    check_single(headers)
    check_media_type(headers.get(b"content-type"))
    idempotency_key = headers.get(b"idempotency-key")
    if idempotency_key is not None and not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise malformed_request("Idempotency-Key must be 1 to 255 printable ASCII characters.")
    form = parse_form(await read_body(headers, receive))
    source = source_of(scope, headers)
    return FormRequest(form.parameters, headers.get(b"authorization"), idempotency_key, source, form.lists, headers)


def check_single(headers: Mapping[bytes, str]) -> None:
    """Raise OAuthError if a header field that must be single is sent more than once."""
    if _REPEATED in headers:
        raise malformed_request("A header field that must be single is sent more than once.")


def address_of(scope: Scope) -> str | None:
    """Return the client's address, or None on a Unix socket. An IPv4 peer of an IPv6 socket has its IPv4 address."""
    if not scope.get("client"):
        return None
    host: str = scope["client"][0]
    return host.removeprefix("::ffff:") if "." in host else host


def source_of(scope: Scope, headers: Mapping[bytes, str]) -> Source:
    user_agent = headers.get(b"user-agent")
    return Source(address_of(scope), user_agent and user_agent[:MAX_USER_AGENT])


async def read_body(headers: Mapping[bytes, str], receive: Receive) -> bytes:
    """Return the whole body. Raise OAuthError if it is compressed or too large.

    No more than the limit is kept in memory.
    """
    if headers.get(b"content-encoding", "identity").lower() != "identity":
        raise malformed_request("The body must not be compressed.", 415)
    declared = headers.get(b"content-length", "0")
    if not declared.isdecimal() or int(declared) > MAX_BYTES:
        raise malformed_request(f"The body must not exceed {MAX_BYTES} bytes.", 413)
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise malformed_request("The request ended before its body did.", 400)
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BYTES:
            raise malformed_request(f"The body must not exceed {MAX_BYTES} bytes.", 413)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)
