"""Request heads: which are accepted, and how they are read (RFC 9112)."""

import pytest

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
