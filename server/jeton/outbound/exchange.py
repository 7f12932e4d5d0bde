"""One HTTP/1.1 exchange over an open connection."""

from asyncio import StreamReader, StreamWriter
from collections.abc import Iterable
from typing import Final

import h11

from jeton.outbound.messages import OutboundError, OutboundFailure, OutboundResponse

MAX_HEAD_BYTES: Final = 16384
_READ_BYTES: Final = 16384


async def exchange(
    reader: StreamReader, writer: StreamWriter, request: h11.Request, body: bytes, max_body_bytes: int
) -> OutboundResponse:
    """Send the request and return the whole response.

    Raise OutboundError if the response is malformed, compressed (which was not asked for), or larger than allowed. What
    is counted is what is received, so that neither many small chunks nor interim responses are free.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    events = (request, h11.Data(body), h11.EndOfMessage())
    writer.write(b"".join(connection.send(it) or b"" for it in events))
    await writer.drain()
    head: h11.Response | None = None
    content, received = bytearray(), 0
    while True:
        try:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                octets = await reader.read(_READ_BYTES)
                received += len(octets)
                if received > max_body_bytes + MAX_HEAD_BYTES:
                    raise OutboundError(OutboundFailure.TOO_LARGE)
                connection.receive_data(octets)
        except h11.RemoteProtocolError as error:
            raise OutboundError(OutboundFailure.INVALID_RESPONSE) from error
        if isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            content += event.data
            if len(content) > max_body_bytes:
                raise OutboundError(OutboundFailure.TOO_LARGE)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _response(head, bytes(content))


def _response(head: h11.Response, body: bytes) -> OutboundResponse:
    headers = _joined((name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise OutboundError(OutboundFailure.INVALID_RESPONSE)
    return OutboundResponse(head.status_code, headers, body)


def _joined(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in fields:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
