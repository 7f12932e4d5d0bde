"""Answers leave in one piece: a head waits for its body, and for nothing else."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from jeton.http.connection import Connection


class Wire(asyncio.Transport):
    """A transport that keeps what is written, write by write."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def answering(*bodies: bytes) -> Any:
    """An application that reads the request and answers in so many messages."""

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        length = b"%d" % sum(map(len, bodies))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        for number, body in enumerate(bodies, start=1):
            await send({"type": "http.response.body", "body": body, "more_body": number < len(bodies)})

    return app


async def written_for(request: bytes, app: Any) -> tuple[Sequence[bytes], bool]:
    """What is written, write by write, and whether the connection is closed."""
    config = Config(app, server_header=False, date_header=False, access_log=False)
    config.load()
    state, wire = ServerState(), Wire()
    connection = Connection(config=config, server_state=state, app_state={})
    connection.connection_made(wire)
    connection.data_received(request)
    await asyncio.gather(*state.tasks)
    closed = wire.closed
    connection.shutdown()
    connection.connection_lost(None)
    return wire.written, closed


HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("request_line", "fields", "bodies", "written"),
    [
        pytest.param(b"GET /", b"", [b"abc"], [HEAD % 3 + b"abc"], id="head and body together"),
        pytest.param(b"GET /", b"", [b"ab", b"c"], [HEAD % 3 + b"ab", b"c"], id="the rest of a body at once"),
        pytest.param(b"GET /", b"", [b""], [HEAD % 0], id="an empty body"),
        pytest.param(b"HEAD /", b"", [b"abc"], [HEAD % 3], id="HEAD has no body to wait for"),
        pytest.param(b"GET /", b"", [b"HTTP/1.1 x"], [HEAD % 10 + b"HTTP/1.1 x"], id="a body that looks like a head"),
        pytest.param(
            b"POST /",
            b"Content-Length: 0\r\nExpect: 100-continue\r\n",
            [b"abc"],
            [b"HTTP/1.1 100 Continue\r\n\r\n", HEAD % 3 + b"abc"],
            id="whoever is to go on is told so at once",
        ),
    ],
)
async def test_an_answer_is_written_in_one_piece(
    request_line: bytes, fields: bytes, bodies: Sequence[bytes], written: Sequence[bytes]
) -> None:
    request = request_line + b" HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n"

    assert await written_for(request, answering(*bodies)) == (written, False)


@pytest.mark.parametrize(("method", "body"), [(b"GET", b"abc"), (b"HEAD", b"")], ids=["with its body", "without one"])
async def test_a_connection_is_closed_after_the_whole_answer(method: bytes, body: bytes) -> None:
    request = method + b" / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    assert await written_for(request, answering(b"abc")) == ([CLOSING % 3 + body], True)


@pytest.mark.parametrize(
    ("version", "hosts", "status"),
    [
        pytest.param(b"1.1", 0, b"400", id="none"),
        pytest.param(b"1.1", 2, b"400", id="two"),
        pytest.param(b"1.0", 0, b"200", id="none in HTTP/1.0"),
        pytest.param(b"1.0", 2, b"400", id="two in HTTP/1.0"),
        pytest.param(b"1.1", 1, b"200", id="one"),
        pytest.param(b"2.0", 0, b"400", id="none in a version to come"),
    ],
)
async def test_a_request_is_for_one_host(version: bytes, hosts: int, status: bytes) -> None:
    request = b"GET / HTTP/" + version + b"\r\n" + b"Host: a\r\n" * hosts + b"\r\n"

    written, _ = await written_for(request, answering(b"abc"))

    assert [it[:12] for it in written] == [b"HTTP/1.1 " + status]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((host, b"200") for host in (b"", b"a.example:8000", b"[2001:db8::1]:80", b"127.0.0.1")),
        *((host, b"400") for host in (b"a b", b"a/b", b"user@a", b"a?b", b"a,\xe9")),
    ],
)
async def test_a_host_is_a_name_or_an_address_and_a_port(host: bytes, status: bytes) -> None:
    written, _ = await written_for(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", answering(b"abc"))

    assert [it[:12] for it in written] == [b"HTTP/1.1 " + status]


async def test_a_later_piece_of_a_body_waits_for_nothing() -> None:
    written, _ = await written_for(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", answering(b"ab", b"HTTP/1.1 200", b"c"))

    assert written == [HEAD % 15 + b"ab", b"HTTP/1.1 200", b"c"]


async def test_a_refusal_of_what_is_no_http_is_written_before_the_end() -> None:
    written, closed = await written_for(b"\x16\x03\x01\r\n\r\n", answering(b"abc"))

    assert closed
    assert [it[:25] for it in written] == [b"HTTP/1.1 400 Bad Request\r"]
