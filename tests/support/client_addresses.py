"""Requests to one server from several network addresses."""

import httpx2

from jeton.frozen import replace
from support.in_process_server import ISSUER, Running


def from_address(jeton: Running, ip: str) -> Running:
    """Yield the same server, with requests that come from this address."""
    transport = httpx2.ASGITransport(jeton.server.app, client=(ip, 50000))
    return replace(jeton, http=httpx2.AsyncClient(transport=transport, base_url=ISSUER))
