"""The ASGI scope of a request (ASGI HTTP, spec version 2.3)."""

from typing import Any, Final
from urllib.parse import unquote

from starlette.types import Scope

from jeton.http1.request_head import RequestHead

_MAPPED_IPV4: Final = "::ffff:"

SocketAddress = tuple[str, int] | None


def socket_address(name: Any) -> SocketAddress:
    """Return host and port of a socket name, or None if it has none. A mapped IPv4 address is returned as IPv4."""
    if not isinstance(name, tuple):
        return None
    host, port = name[:2]
    return (host.removeprefix(_MAPPED_IPV4) if "." in host else host), port


def request_scope(head: RequestHead, client: SocketAddress, server: SocketAddress, state: dict[str, Any]) -> Scope:
    """Return the scope of the request. `state` is the lifespan state, which each request gets a copy of."""
    raw_path, _, query = head.target.partition(b"?")
    path = raw_path.decode()
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": head.version,
        "server": server,
        "client": client,
        "scheme": "http",
        "method": head.method,
        "root_path": "",
        "path": unquote(path) if "%" in path else path,
        "raw_path": raw_path,
        "query_string": query,
        "headers": head.fields,
        "state": state.copy(),
    }
