"""Request heads that nobody needs are refused before they are all there (RFC 6585 section 5)."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from jeton.http.head_limit import MOST_BYTES, MOST_HEADERS

from processes import ServerProcess, server_process

START_OF_REQUEST = b"GET /livez HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module")
def server(sqlite_template_of_today: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("heads")
    with server_process(folder, f"sqlite:///{folder}/jeton.db", begin_only=False) as process:
        yield process


def answer_to(server: ServerProcess, *parts: bytes) -> bytes:
    """All that comes back, until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except ConnectionError:
            # It was closed while we were still sending.
            pass
        try:
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionResetError:
            return b"reset"


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"X: " + b"a" * MOST_BYTES + b"\r\n\r\n", id="a large field"),
        pytest.param(b"X: a\r\n" * (MOST_HEADERS + 1) + b"\r\n", id="many fields"),
        pytest.param((b"X: " + b"a" * 1024 + b"\r\n") * 40 + b"\r\n", id="large together"),
    ],
)
@pytest.mark.requirement("O20")
def test_a_large_head_is_refused(server: ServerProcess, head: bytes) -> None:
    assert answer_to(server, START_OF_REQUEST + head).startswith(b"HTTP/1.1 431 ")


def test_what_is_no_http_is_refused_as_such(server: ServerProcess) -> None:
    assert answer_to(server, b"\x16\x03\x01 no HTTP\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_an_endless_head_ends_the_connection(server: ServerProcess) -> None:
    answer = answer_to(server, START_OF_REQUEST + b"X: ", *[b"a" * 65536] * 500)

    assert answer == b"reset" or answer.startswith(b"HTTP/1.1 431 ")


def test_a_head_of_many_fields_is_refused_before_its_end(server: ServerProcess) -> None:
    assert answer_to(server, START_OF_REQUEST + b"X: a\r\n" * (MOST_HEADERS + 1)).startswith(b"HTTP/1.1 431 ")


def test_a_long_request_line_is_refused(server: ServerProcess) -> None:
    line = b"GET /livez?" + b"a" * MOST_BYTES + b" HTTP/1.1\r\nHost: a\r\n\r\n"

    assert answer_to(server, line).startswith(b"HTTP/1.1 431 ")


CHUNKED = b"POST /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        pytest.param(b"0\r\n", b"X: " + b"a" * 1024 + b"\r\n", id="trailers of many fields"),
        pytest.param(b"0\r\nX: ", b"a" * 1024, id="a trailer"),
        pytest.param(b"1;", b"a" * 1024, id="an extension of a chunk"),
    ],
)
def test_what_never_ends_after_a_head_ends_the_connection(server: ServerProcess, begin: bytes, more: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection, suppress(ConnectionError):
        connection.sendall(CHUNKED + begin)
        for _ in range(20_000):
            connection.sendall(more)
        pytest.fail("the server took it all")


def test_a_trailer_is_no_header(server: ServerProcess) -> None:
    form = b"POST /oauth/token HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    trailer = b"Content-Type: application/x-www-form-urlencoded\r\n"

    answer = answer_to(server, form + b"3\r\na=b\r\n0\r\n" + trailer + b"\r\n")

    assert b"application/x-www-form-urlencoded in UTF-8" in answer


def test_a_large_body_in_small_pieces_is_no_trailer(server: ServerProcess) -> None:
    pieces = (b"400\r\n" + b"a" * 1024 + b"\r\n") * 200
    last = START_OF_REQUEST + b"Connection: close\r\n\r\n"

    answers = answer_to(server, CHUNKED, *[pieces] * 5, b"0\r\n\r\n" + last)

    assert [answers.count(b"HTTP/1.1 %d " % status) for status in (405, 200)] == [1, 1]


def test_what_is_large_but_no_head_is_let_through(server: ServerProcess) -> None:
    fields = b"X: " + b"a" * (MOST_BYTES - 2048) + b"\r\n" + b"Y: b\r\n" * (MOST_HEADERS - 4)

    first = answer_to(server, START_OF_REQUEST + fields + b"Connection: close\r\n\r\n")
    body = b"a=" + b"b" * (2 * MOST_BYTES)
    form = b"POST /oauth/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    second = answer_to(server, form + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    assert first.startswith(b"HTTP/1.1 200 ")
    assert second.startswith(b"HTTP/1.1 413 ")


def test_each_request_of_a_connection_has_a_head_of_its_own(server: ServerProcess) -> None:
    requests = (START_OF_REQUEST + b"X: " + b"a" * 1024 + b"\r\n\r\n") * 200
    last = START_OF_REQUEST + b"Connection: close\r\n\r\n"

    assert answer_to(server, requests + last[:20], last[20:]).count(b"HTTP/1.1 200 ") == 201
