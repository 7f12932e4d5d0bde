"""The client's address behind trusted proxies, from `X-Forwarded-For`.

Each proxy appends the address of its own peer: only what trusted proxies wrote is believed, from the right. If an
element is no address, the proxy that wrote it is taken for the client, so that rate limits still apply.
"""

import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from jeton.http.trusted_proxies import TrustedProxies
from jeton.rules.network_prefix import Address, parse_address

_MAX_HOPS: Final = 16
# IPv4, or IPv6 in brackets, with a port; or either without one.
_WITH_PORT: Final = re.compile(r"(?:\[([^\[\]]+)\]|([0-9.]+))(?::[0-9]{1,5})?")


class ClientAddress:
    """ASGI middleware that sets the client's address in the scope."""

    def __init__(self, app: ASGIApp, trusted: TrustedProxies) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope.get("client")
        if scope["type"] == "http" and peer is not None:
            values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
            if values:
                scope["client"] = (self.find(peer[0], ",".join(values)), 0)
        await self._app(scope, receive, send)

    def find(self, peer: str, forwarded_for: str) -> str:
        """Return the last address that a trusted proxy wrote, or the peer if it is no trusted proxy."""
        client = parse_address(peer)
        if client is None:
            return peer
        for hop in reversed(forwarded_for.rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]):
            if not self._trusted.include(client):
                break
            named = _parse_hop(hop)
            if named is None:
                break
            client = named
        return str(client)


def _parse_hop(text: str) -> Address | None:
    """Return the address of one element, with or without a port; None if it is none ("unknown", RFC 7239)."""
    text = text.strip(" \t")
    found = _WITH_PORT.fullmatch(text)
    return parse_address((found[1] or found[2]) if found else text)
