"""HTTP/1.1 connections: one request at a time, complete responses, and limits of bytes and seconds."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn import Config, Server
from uvicorn.server import ServerState

from jeton.http1 import connection as limits
from jeton.http1.connection_factory import ConnectionFactory
from jeton.observability.origin import Origin, current_origin
from support import fake_transport
from support.fake_transport import echo, respond, serving
from support.written_log import written_log

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
MEBIBYTE = b"x" * 2**20


def answering(*messages: Message) -> Any:
    """Return an application that reads nothing and sends these messages."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


@asynccontextmanager
async def connected(
    app: ASGIApp = echo, max_connections: int = 100
) -> AsyncIterator[tuple[fake_transport.Server, fake_transport.Peer]]:
    """Yield a server of this application, and one connection to it."""
    async with serving(app, max_connections) as server:
        yield server, server.connect()


def start(status: int = 200, /, **headers: str) -> Message:
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": fields}


def body(data: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"
CLOSING = OK[:-2] + b"connection: close\r\n\r\nabc"
CHUNKS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
SIZED, LONGER, ABC, PART = start(content_length="3"), start(content_length="4"), body(b"abc"), body(b"a", more=True)


HEAD, OLD = GET.replace(b"GET", b"HEAD"), b"GET / HTTP/1.0\r\n\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "messages", "written"),
    [
        pytest.param(GET, [SIZED, ABC], [OK + b"abc"], id="one piece"),
        pytest.param(GET, [SIZED, PART, body(b"bc")], [OK + b"a", b"bc"], id="two pieces"),
        pytest.param(HEAD, [SIZED, ABC], [OK], id="HEAD has no body"),
        pytest.param(HEAD, [start(), ABC], [b"HTTP/1.1 200 OK\r\n\r\n"], id="HEAD without length"),
        pytest.param(GET, [start(204, content_length="0"), body(b"")], [b"HTTP/1.1 204 No Content\r\n\r\n"], id="204"),
        pytest.param(GET, [start(304), ABC], [b"HTTP/1.1 304 Not Modified\r\n\r\n"], id="304 has no body"),
        pytest.param(GET, [start(), ABC], [CHUNKS + b"3\r\nabc\r\n0\r\n\r\n"], id="unknown length"),
        pytest.param(
            GET,
            [start(transfer_encoding="chunked"), PART, body(b"", more=True), body(b"")],
            [CHUNKS + b"1\r\na\r\n", b"", b"0\r\n\r\n"],
            id="no empty chunk before the end",
        ),
        pytest.param(GET[:-2] + b"Connection: x, Close\r\n\r\n", [SIZED, ABC], [CLOSING], id="closed on request"),
        pytest.param(OLD, [SIZED, ABC], [CLOSING], id="HTTP/1.0"),
        pytest.param(OLD, [start(), ABC], [CLOSING.replace(OK[17:-2], b"")], id="HTTP/1.0, no length"),
    ],
)
async def test_response_framing_follows_status_method_and_version(
    request_bytes: bytes, messages: Sequence[Message], written: Sequence[bytes]
) -> None:
    closes = written[0].endswith(b"connection: close\r\n\r\nabc")
    for further in (b"", GET) if closes else (b"",):
        async with connected(answering(*messages)) as (_, peer):
            await peer.send(request_bytes + further)

            assert peer.transport.written == written
            assert (peer.is_ended, peer.transport.closed) == (closes, closes and not further)


@pytest.mark.parametrize(
    ("messages", "statuses"),
    [
        pytest.param([start(content_length="3", x="a\r\nSet-Cookie: b"), ABC], [500], id="CRLF in a value"),
        pytest.param([start(200, **{"content_length": "3", "x\n": "a"}), ABC], [500], id="LF in a name"),
        pytest.param([start(100), body(b"")], [500], id="interim status"),
        pytest.param([ABC], [500], id="no start"),
        pytest.param([], [500], id="nothing"),
        pytest.param([SIZED], [], id="no body"),
        pytest.param([SIZED, body(b"abcd")], [], id="too long"),
        pytest.param([LONGER, PART, body(b"ab")], [200], id="too short"),
        pytest.param([LONGER, PART, PART], [200], id="unfinished"),
    ],
)
async def test_invalid_response_becomes_500_or_aborts_if_it_has_begun(
    messages: Sequence[Message], statuses: Sequence[int]
) -> None:
    async with connected(answering(*messages)) as (_, peer):
        await peer.send(GET + GET)

        assert (peer.statuses, peer.transport.aborted) == (statuses, statuses != [500])
        assert peer.is_ended


DATE = (b"date", b"Thu, 01 Jan 1970 00:00:00 GMT")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [(b"GET / HTTP/9\r\n", b"400 Bad Request"), (HEAD, b"500 Internal Server Error")],
)
async def test_errors_of_the_connection_have_a_date_and_none_to_head_has_a_body(
    request_bytes: bytes, status: bytes
) -> None:
    async with connected(answering(ABC)) as (server, peer):
        server.state.default_headers = [DATE]
        await peer.send(request_bytes)

        head, _, content = peer.answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 " + status + b"\r\ndate: " + DATE[1] + b"\r\n")
        assert content == (b"" if request_bytes is HEAD else b"Bad Request.")


async def test_expect_100_continue_is_answered() -> None:
    async with connected() as (_, peer):
        await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert peer.answer == b"HTTP/1.1 100 Continue\r\n\r\n"

        await peer.send(b"abc")

        assert peer.answer.endswith(b"\r\n\r\nPOST / abc")


async def test_one_request_is_processed_at_a_time_and_little_is_read_ahead() -> None:
    going_on, running = asyncio.Event(), 0

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        nonlocal running
        running += 1
        assert running == 1
        await going_on.wait()
        running -= 1
        await respond(send, b"")

    async with connected(app) as (server, peer):
        await peer.send(GET * 3_000)
        assert len(server.state.tasks) == 1
        assert not peer.transport.is_read_from
        assert len(GET * 3_000) - len(peer.unsent) <= 2 * limits.READ_BYTES

        going_on.set()
        while len(peer.statuses) < 3_000:
            await peer.run_until_idle()

        assert not peer.unsent


@pytest.mark.parametrize(
    "request_bytes",
    [POST % 2**30 + MEBIBYTE, CHUNKED + b"100000\r\n" + MEBIBYTE, POST % 5],
    ids=["sized", "chunked", "not sent yet"],
)
async def test_early_response_closes_the_connection_after_reading_little_of_the_body(request_bytes: bytes) -> None:
    async with connected(answering(start(413, content_length="1"), body(b"a"))) as (server, peer):
        await peer.send(request_bytes, MEBIBYTE)

        assert (peer.statuses, peer.transport.ended, peer.transport.closed) == ([413], True, False)
        assert b"connection: close\r\n" in peer.answer
        assert len(request_bytes) + len(MEBIBYTE) - len(peer.unsent) <= limits.MAX_DROPPED_BYTES + 2 * limits.READ_BYTES
        assert server.state.tasks == set()
        expire_within(server, limits.LINGER_SECONDS)
        assert peer.transport.closed


async def test_received_but_unread_body_keeps_the_connection() -> None:
    async with connected(answering(start(content_length="0"), body(b""))) as (_, peer):
        await peer.send(POST % 3 + b"abc" + GET)

        assert (peer.statuses, peer.is_ended) == ([200, 200], False)


def expire_within(server: fake_transport.Server, seconds: float) -> None:
    """Expire the connections whose deadline is less than this number of seconds away."""
    now = asyncio.get_running_loop().time()
    for connection in server.connections:
        if connection.deadline < now + seconds + 0.1:
            connection.expire()


@pytest.mark.parametrize(
    ("segments", "seconds", "statuses"),
    [
        pytest.param([], limits.HEAD_SECONDS, [], id="silent"),
        pytest.param([GET[:-2]], limits.HEAD_SECONDS, [408], id="unfinished head"),
        pytest.param([GET[:1], GET[1:2]], limits.HEAD_SECONDS, [408], id="head in single bytes"),
        pytest.param([GET + GET[:-2]], limits.HEAD_SECONDS, [200, 408], id="head of a later request"),
        pytest.param([POST % 3 + b"ab"], limits.BODY_SECONDS, [408], id="unfinished body"),
        pytest.param([CHUNKED + b"1\r\na\r\n"], limits.BODY_SECONDS, [408], id="unfinished chunks"),
        pytest.param([GET], limits.IDLE_SECONDS, [200], id="between requests"),
    ],
)
async def test_connection_ends_at_its_deadline(
    segments: Sequence[bytes], seconds: float, statuses: Sequence[int]
) -> None:
    async with connected() as (server, peer):
        await peer.send(*segments)
        expire_within(server, seconds - 1)
        assert not peer.is_ended

        expire_within(server, seconds)
        await peer.run_until_idle()

        assert (peer.statuses, peer.is_ended) == (statuses, True)


async def test_slow_sending_does_not_extend_the_deadlines() -> None:
    async with serving(echo) as server:
        for begun, more in [(GET[:5], GET[5:6]), (POST % 9, b"x")]:
            peer = server.connect()
            await peer.send(begun)
            deadline = peer.connection.deadline

            await peer.send(more)

            assert peer.connection.deadline == deadline


@pytest.mark.parametrize("further", [b"", GET * 2_000], ids=["one request", "many"])
async def test_client_that_does_not_read_is_disconnected_whatever_it_sends(further: bytes) -> None:
    async with connected() as (server, peer):
        peer.transport.is_blocked = True
        await peer.send(GET)
        await peer.send(further)
        assert server.state.tasks == set()
        assert len(further) - len(peer.unsent) <= 2 * limits.READ_BYTES
        expire_within(server, limits.WRITE_SECONDS - 1)
        assert not peer.transport.closed

        expire_within(server, limits.WRITE_SECONDS)

        assert peer.transport.aborted


async def test_second_response_and_deadline_wait_until_the_first_response_was_read() -> None:
    async with connected() as (server, peer):
        peer.transport.is_blocked = True
        await peer.send(GET, GET + GET[:5])
        assert len(peer.statuses) == 1

        peer.transport.is_blocked = False
        peer.connection.resume_writing()
        await peer.run_until_idle()

        assert peer.statuses == [200, 200]
        expire_within(server, limits.HEAD_SECONDS - 1)
        assert not peer.is_ended
        expire_within(server, limits.HEAD_SECONDS)
        assert peer.statuses == [200, 200, 408]


async def test_sweep_ends_overdue_connections_and_stops_when_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jeton.http1.connection_table.SWEEP_SECONDS", 0)
    monkeypatch.setattr("jeton.http1.connection.HEAD_SECONDS", -1)
    async with connected() as (_, peer):
        while not peer.transport.closed:
            await asyncio.sleep(0)


@pytest.mark.parametrize("begun", [b"", GET, GET[:5]], ids=["silent", "idle", "in a head"])
async def test_above_the_limit_the_longest_waiting_connection_is_closed(begun: bytes) -> None:
    async with serving(echo, max_connections=2) as server:
        oldest, other = server.connect(), server.connect()
        await oldest.send(begun)
        await other.send(GET)
        newcomer = server.connect()

        await newcomer.send(GET)

        assert [oldest.transport.aborted, other.is_ended, newcomer.statuses] == [True, False, [200]]


async def test_above_the_limit_a_busy_connection_is_never_closed_and_one_line_is_logged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[str] = []
    monkeypatch.setattr("jeton.http1.connection_table.log.warning", lambda event, **_: lines.append(event))
    async with connected(max_connections=1) as (server, busy):
        await busy.send(POST % 3)

        for rejected in [server.connect() for _ in range(5)]:
            assert (rejected.statuses, rejected.transport.closed) == ([503], True)
        await busy.send(b"abc")
        assert busy.statuses == [200]

    assert lines == ["connection_limit_reached"]


@pytest.mark.parametrize(
    ("received", "statuses"), [(GET + GET, [200, 200]), (POST % 3 + b"ab", [400])], ids=["complete", "truncated"]
)
async def test_half_closed_client_still_gets_its_responses(received: bytes, statuses: Sequence[int]) -> None:
    async with connected() as (_, peer):
        peer.deliver_read(received)

        assert peer.connection.eof_received()
        await peer.run_until_idle()

        assert (peer.statuses, peer.transport.closed) == (statuses, True)


@pytest.mark.parametrize(
    ("before", "after", "statuses"),
    [
        pytest.param([GET], [], [200], id="idle"),
        pytest.param([POST % 3], [b"abc"], [200], id="in a body"),
        pytest.param([GET[:5]], [GET[5:]], [200], id="in a head"),
        pytest.param([], [GET], [200], id="received, but not read"),
    ],
)
async def test_shutdown_answers_received_requests_and_then_closes(
    before: Sequence[bytes], after: Sequence[bytes], statuses: Sequence[int]
) -> None:
    async with connected() as (_, peer):
        await peer.send(*before)

        peer.connection.shutdown()
        await peer.send(*after)
        while not peer.is_ended:
            await asyncio.sleep(0.01)

        assert peer.statuses == statuses
        assert (b"connection: close" in peer.answer) == bool(after)


async def test_ipv4_address_is_the_same_on_ipv4_and_ipv6_sockets() -> None:
    seen = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(scope["client"])
        await respond(send, b"")

    async with serving(app) as server:
        for peer in (("192.0.2.1", 5), ("::ffff:192.0.2.1", 5, 0, 0), ("2001:db8::1", 5, 0, 0)):
            await server.connect(peer).send(GET)

    assert seen == [("192.0.2.1", 5), ("192.0.2.1", 5), ("2001:db8::1", 5)]


def test_uvicorn_uses_the_expected_interface_of_a_connection() -> None:
    source = inspect.getsource(Server)
    arguments = ["config=config", "server_state=self.server_state", "app_state=self.lifespan.state", "_loop=_loop"]
    calls = ["config.http_protocol_class(", "connection.shutdown()", *arguments]
    assert [it for it in calls if it not in source] == []
    assert vars(ServerState()) == {"total_requests": 0, "connections": set(), "tasks": set(), "default_headers": []}
    factory: Any = ConnectionFactory(1)
    config = Config(echo, http=factory, log_config=None)
    config.load()
    assert config.http_protocol_class is factory


async def test_rejected_request_is_logged_without_the_identifier_of_the_request_before_it() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        current_origin.set(Origin("the-request-before"))
        for message in (SIZED, ABC):
            await send(message)

    with written_log() as log:
        async with connected(app) as (_, peer):
            await peer.send(GET + b"malformed\r\n\r\n")

    assert [it.get("request_id") for it in log.lines("request_rejected")] == [None]
