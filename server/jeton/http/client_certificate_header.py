"""The header in which a proxy passes the certificate of its client on (RFC 9440): taken from trusted proxies only."""

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from jeton.http.trusted_proxies import TrustedProxies

log = structlog.get_logger("jeton.http")


class ClientCertificateHeader:
    """ASGI middleware that removes the header unless a trusted proxy has sent it, once.

    To be placed where the peer is still the one that is connected. If the header comes twice, the proxy has added its
    own to that of the client, and neither is believed (RFC 9440 section 2.4).
    """

    def __init__(self, app: ASGIApp, name: bytes, trusted: TrustedProxies) -> None:
        self._app = app
        self._name = name
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            number = sum(name == self._name for name, _ in scope["headers"])
            if number and not self._is_believed(scope, number):
                scope["headers"] = [field for field in scope["headers"] if field[0] != self._name]
        await self._app(scope, receive, send)

    def _is_believed(self, scope: Scope, number: int) -> bool:
        peer = scope.get("client")
        if peer is None or not self._trusted.include(peer[0]):
            return False
        if number > 1:
            log.warning("client_certificate_header_repeated", peer=peer[0])
        return number == 1
