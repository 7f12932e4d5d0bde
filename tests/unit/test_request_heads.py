"""Request heads: which are accepted, and how they are read (RFC 9112)."""

import time

import pytest

from jeton.http1.request_body import ChunkedBody
from jeton.http1.request_head import HeadReader
from support.fake_transport import echo, serving
from support.request_heads import NEXT, READ, REJECTED


async def test_valid_requests_are_read_as_framed() -> None:
    read: dict[str, tuple[list[bytes], bool]] = {}
    async with serving(echo) as server:
        for name, (request, _) in READ.items():
            peer = server.connect()
            await peer.send(request + NEXT)
            assert set(peer.statuses) == {200}, name
            read[name] = ([part.partition(b"\r\n\r\n")[2] for part in peer.transport.written], peer.is_ended)

    assert read == {name: ([body, b"GET /next "], False) for name, (_, body) in READ.items()}


@pytest.mark.requirement("O20")
async def test_invalid_requests_are_rejected_and_nothing_after_them_is_read() -> None:
    statuses = {}
    async with serving(echo) as server:
        for name, (request, _) in REJECTED.items():
            peer = server.connect()
            await peer.send(request)
            assert peer.is_ended, name
            await peer.send(NEXT)
            assert b"connection: close\r\n" in peer.answer, name
            statuses[name] = peer.statuses

    assert statuses == {name: [status] for name, (_, status) in REJECTED.items()}


@pytest.mark.parametrize(
    ("reader", "start"),
    [
        pytest.param(HeadReader, b"GET /", id="request line"),
        pytest.param(HeadReader, b"GET / HTTP/1.1\r\nHost: a\r\na: ", id="field"),
        pytest.param(ChunkedBody, b"1;", id="chunk extension"),
        pytest.param(ChunkedBody, b"0\r\na: ", id="trailer"),
    ],
)
def test_line_in_single_bytes_takes_time_in_proportion_to_its_length(
    reader: type[HeadReader | ChunkedBody], start: bytes
) -> None:
    def seconds(length: int) -> float:
        taking, buffer = reader(), bytearray(start)
        began = time.process_time()
        for _ in range(length):
            taking.take(buffer)
            buffer += b"x"
        return time.process_time() - began

    assert seconds(32_000) < 30 * min(seconds(4_000) for _ in range(5))
