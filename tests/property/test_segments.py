"""The result of a stream of requests does not depend on its segmentation."""

import asyncio
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from support.fake_transport import Peer, echo, serving
from support.request_heads import NEXT, READ, REJECTED

STREAMS = [request for request, _ in [*READ.values(), *REJECTED.values()]]
BYTES = st.sampled_from([b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"0", b"chunked", b"\r\n\r\n", b"x"])
streams = st.lists(st.sampled_from([it for it in STREAMS if len(it) < 2000]), min_size=1, max_size=3).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a stream of requests with a few bytes replaced anywhere."""
    stream = draw(streams)
    for _ in range(draw(st.integers(0, 2))):
        at, length = draw(st.integers(0, len(stream))), draw(st.integers(0, 3))
        stream = stream[:at] + draw(BYTES) + stream[at + length :]
    return stream


async def answered(*segments: bytes) -> tuple[bytes, bool]:
    """Return everything written, and whether the connection has ended."""
    async with serving(echo) as server:
        peer: Peer = server.connect()
        await peer.send(*segments)
        return peer.answer, peer.is_ended


@settings(max_examples=60, deadline=None)
@given(damaged(), st.lists(st.integers(0, 2000), max_size=8))
def test_segmentation_does_not_change_the_result(stream: bytes, cuts: list[int]) -> None:
    at = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    segments = [stream[begin:end] for begin, end in pairwise(at)]

    assert asyncio.run(answered(*segments)) == asyncio.run(answered(stream))


def test_single_byte_segments_do_not_change_the_result() -> None:
    async def differs(stream: bytes) -> bool:
        start, rest = stream[:600], stream[600:]
        segments = [start[it : it + 1] for it in range(len(start))]
        return await answered(*segments, rest + NEXT) != await answered(stream + NEXT)

    async def differing() -> list[bytes]:
        return [stream for stream in STREAMS if await differs(stream)]

    assert asyncio.run(differing()) == []
