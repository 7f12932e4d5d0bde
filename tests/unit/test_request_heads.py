"""Request heads: which are accepted, and how they are read (RFC 9112)."""

import time

import pytest

from jeton.http1.request_body import ChunkedBody
from jeton.http1.request_head import HeadReader
from support.fake_transport import echo, serving
from support.request_heads import NEXT, READ, REJECTED


@pytest.mark.parametrize(("request_bytes", "answer"), READ.values(), ids=READ)
async def test_valid_request_is_read_as_framed(request_bytes: bytes, answer: bytes) -> None:
    async with serving(echo) as server:
        peer = server.connect()

        await peer.send(request_bytes + NEXT)

        assert peer.statuses[-1] == 200
        assert [part.partition(b"\r\n\r\n")[2] for part in peer.wire.written] == [answer, b"GET /next "]
        assert not peer.is_ended


@pytest.mark.requirement("O20")
@pytest.mark.parametrize(("request_bytes", "status"), REJECTED.values(), ids=REJECTED)
async def test_invalid_request_is_rejected_and_nothing_after_it_is_read(request_bytes: bytes, status: int) -> None:
    async with serving(echo) as server:
        peer = server.connect()

        await peer.send(request_bytes)
        assert peer.is_ended
        await peer.send(NEXT)

        assert peer.statuses == [status]
        assert b"connection: close\r\n" in peer.answer


@pytest.mark.parametrize(
    ("reader", "start"),
    [
        pytest.param(HeadReader, b"GET /", id="request line"),
        pytest.param(HeadReader, b"GET / HTTP/1.1\r\nHost: a\r\na: ", id="field"),
        pytest.param(ChunkedBody, b"1;", id="chunk extension"),
        pytest.param(ChunkedBody, b"0\r\na: ", id="trailer"),
    ],
)
def test_a_line_in_single_bytes_takes_time_in_proportion_to_its_length(
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
