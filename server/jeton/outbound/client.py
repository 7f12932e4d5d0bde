"""HTTP client for addresses that others name. It connects only to an address that it has checked."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Final, TypeAlias
from urllib.parse import urlencode

import h11

from jeton.observability.tracing import tracing
from jeton.outbound.addresses import AddressKind, classify
from jeton.outbound.exchange import exchange
from jeton.outbound.messages import OutboundError, OutboundFailure, OutboundResponse, Target
from jeton.outbound.resolution import SystemResolver

# Returns the IP addresses of a host, the preferred one first. Raises OSError if there are none.
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

DEADLINE_SECONDS: Final = 5.0
MAX_BODY_BYTES: Final = 65536
MAX_CONCURRENT: Final = 8
# Of one host: a network without IPv6, say, must leave time for the next address.
_MAX_ADDRESSES: Final = 4
_CONNECT_SECONDS: Final = 2.0


class OutboundClient:
    """Makes requests to hosts that others name, and to nothing else (server-side request forgery).

    A host is resolved once. If any of its addresses is not allowed, none is used; the connection is made to an address
    that was checked, and TLS verifies the name. Redirects are not followed: they are responses like any other. There
    are no proxies, cookies or stored credentials.
    """

    def __init__(
        self,
        *,
        allow_private_addresses: bool,
        deadline_seconds: float = DEADLINE_SECONDS,
        max_body_bytes: int = MAX_BODY_BYTES,
        max_concurrent: int = MAX_CONCURRENT,
        resolve: Resolve | None = None,
        tls_context: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        """`deadline_seconds` is for a whole request, including the wait until fewer than `max_concurrent` are made.

        With `allow_private_addresses`, requests may also go to loopback and private networks, there without TLS too.
        """
        self._allow_private_addresses = allow_private_addresses
        self._deadline_seconds = deadline_seconds
        self._max_body_bytes = max_body_bytes
        self._slots = asyncio.Semaphore(max_concurrent)
        self._resolve = resolve or SystemResolver(max_concurrent)
        self._tls_context = tls_context or _system_tls_context

    async def get(self, uri: str, *, accept: str = "application/json") -> OutboundResponse:
        """Return the response to a GET. Raise OutboundError if there is none."""
        return await self._request("GET", uri, [("Accept", accept)], b"")

    async def post_form(self, uri: str, fields: Mapping[str, str]) -> OutboundResponse:
        """Return the response to a POST of a form. Raise OutboundError if there is none."""
        body = urlencode(fields).encode()
        headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", str(len(body)))]
        return await self._request("POST", uri, headers, body)

    async def certificate_end(self, uri: str) -> float:
        """Return when the certificate of this https server expires, in seconds since the epoch.

        Raise OutboundError if there is no connection, or if the certificate is not valid.
        """
        target = Target.parse(uri)
        try:
            async with asyncio.timeout(self._deadline_seconds), self._slots:
                _, writer = await self._connect(target, await self._checked_addresses(target))
                certificate = writer.get_extra_info("peercert")
                writer.transport.abort()
        except TimeoutError as error:
            raise OutboundError(OutboundFailure.TIMED_OUT) from error
        return ssl.cert_time_to_seconds(certificate["notAfter"])

    async def _request(self, method: str, uri: str, headers: list[tuple[str, str]], body: bytes) -> OutboundResponse:
        target = Target.parse(uri)
        own = [("Host", target.authority), ("User-Agent", "Jeton"), ("Accept-Encoding", "identity")]
        request = h11.Request(method=method, target=target.path, headers=[*own, ("Connection", "close"), *headers])
        with tracing.outbound_request(method, target.host, target.port) as attributes:
            try:
                response = await self._exchange(target, request, body)
            except OutboundError as error:
                attributes["error.type"] = error.reason
                raise
            attributes["http.response.status_code"] = response.status
            return response

    async def _exchange(self, target: Target, request: h11.Request, body: bytes) -> OutboundResponse:
        try:
            async with asyncio.timeout(self._deadline_seconds), self._slots:
                reader, writer = await self._connect(target, await self._checked_addresses(target))
                try:
                    return await exchange(reader, writer, request, body, self._max_body_bytes)
                finally:
                    # Not closed politely: that would wait for the other side.
                    writer.transport.abort()
        except TimeoutError as error:
            raise OutboundError(OutboundFailure.TIMED_OUT) from error
        except OSError as error:
            raise OutboundError(OutboundFailure.CONNECTION_FAILED) from error

    async def _checked_addresses(self, target: Target) -> Sequence[str]:
        """Return the addresses of the host, or raise OutboundError if one of them is not allowed."""
        try:
            addresses = await self._resolve(target.host, target.port)
        except (OSError, UnicodeError) as error:
            raise OutboundError(OutboundFailure.HOST_NOT_FOUND) from error
        kinds = {classify(it) for it in addresses}
        allowed = {AddressKind.PUBLIC} if target.secure else set[AddressKind]()
        if self._allow_private_addresses:
            allowed.add(AddressKind.PRIVATE)
        if not kinds or not kinds <= allowed:
            raise OutboundError(OutboundFailure.ADDRESS_NOT_ALLOWED)
        return addresses[:_MAX_ADDRESSES]

    async def _connect(self, target: Target, addresses: Sequence[str]) -> tuple[StreamReader, StreamWriter]:
        """Return a connection to the first of the addresses that accepts one."""
        tls = self._tls_context() if target.secure else None
        for address in addresses:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    return await asyncio.open_connection(
                        address, target.port, ssl=tls, server_hostname=target.host if tls else None
                    )
            except ssl.SSLError as error:
                raise OutboundError(OutboundFailure.TLS_FAILED) from error
            except OSError:
                continue
        raise OutboundError(OutboundFailure.CONNECTION_FAILED)


@cache
def _system_tls_context() -> ssl.SSLContext:
    """Return a context that trusts what the system trusts. It is made when first used, because it takes a while."""
    return ssl.create_default_context()
