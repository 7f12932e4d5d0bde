"""Clients that misuse connections: they delay no other, and use bounded resources."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final

import pytest

from jeton.cli.processes.listening import SEND_BUFFER_BYTES, bind_sockets
from support.server_processes import ServerProcess, server_process, wait_until

GET: Final = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
CONSTANTS: Final = {
    "jeton.http1.connection.LINGER_SECONDS": "0.2",
    "jeton.http1.connection_table.SWEEP_SECONDS": "0.1",
}
POST: Final = b"POST /oauth/token HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module")
def server(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server on all addresses, started with a low limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    with at_all_addresses(tmp_path_factory.mktemp("server"), module_sqlite_url, "1") as process:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        yield process


@contextmanager
def at_all_addresses(folder: Path, url: str, workers: str) -> Iterator[ServerProcess]:
    arguments = ["--host", "::", "--workers", workers]
    with server_process(
        folder, url, *arguments, begin_only=True, SERVER__MAX_CONNECTIONS="100", **CONSTANTS
    ) as process:
        wait_until(lambda: process.answers("/readyz"), "answers over IPv4", 20)
        yield process


def connect(server: ServerProcess, host: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection((host, server.port), timeout=10)


def answer_to(server: ServerProcess, *parts: bytes, host: str = "127.0.0.1") -> bytes:
    """Return everything received until the server closes the connection."""
    with connect(server, host) as connection:
        with suppress(ConnectionError):  # The server closed the connection while the test was sending.
            for part in parts:
                connection.sendall(part)
        try:
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionResetError:
            return b"reset"


def memory_of(server: ServerProcess) -> int:
    """Return the resident memory of the processes in bytes."""
    return int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(GET[:-2] + b"Content-Length: 99999999999\r\n\r\n", b"200", id="GET with a body"),
        pytest.param(POST + b"Content-Length: 99999999999\r\n\r\n", b"400", id="a wrong type"),
        pytest.param(POST.replace(b"oauth", b"x") + b"Content-Length: 99999999999\r\n\r\n", b"404", id="a wrong path"),
        pytest.param(b"PUT /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", b"405", id="a method"),
        pytest.param(b"GET / HTTP/0.9\r\n\r\n", b"400", id="a head"),
    ],
)
def test_a_client_cannot_keep_sending_after_its_answer(server: ServerProcess, head: bytes, status: bytes) -> None:
    sent, began = 0, time.monotonic()
    with connect(server) as connection:
        connection.sendall(head)
        with suppress(ConnectionError):
            while time.monotonic() < began + 8:
                sent += connection.send(b"x" * 2**20)

    assert time.monotonic() < began + 8
    assert sent < 32 * 2**20  # what the sockets of both sides hold
    assert answer_to(server, head).startswith(b"HTTP/1.1 " + status)


@contextmanager
def flooding(server: ServerProcess, count: int) -> Iterator[None]:
    """Open this number of connections that each send 256 KiB of requests and read nothing."""
    with ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(connect(server))
            connection.setblocking(False)
            with suppress(BlockingIOError):
                connection.send(GET * (2**18 // len(GET)))
        yield


def test_clients_that_pipeline_without_reading_delay_no_other_and_use_little_memory(server: ServerProcess) -> None:
    before = memory_of(server)
    with flooding(server, 60):
        slowest = 0.0
        for _ in range(20):
            began = time.monotonic()
            assert server.answers("/livez")
            slowest = max(slowest, time.monotonic() - began)

        assert slowest < 2
        assert memory_of(server) - before < 64 * 2**20


def test_system_buffers_little_for_a_client_that_does_not_read() -> None:
    """By default Linux buffers 4 MiB, which is dozens of pipelined responses for each connection."""
    (listening,) = bind_sockets("127.0.0.1", 0, listen=True)
    with listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * SEND_BUFFER_BYTES
            accepted.setblocking(False)
            sent = 0
            with suppress(BlockingIOError):
                while sent < 2**23:
                    sent += accepted.send(b"x" * 65536)
    assert sent < 2**20


def test_idle_connections_exclude_no_other_client(server: ServerProcess) -> None:
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(connect(server))
        assert server.answers("/livez")
    assert server.log.count("connection_limit_reached") == 1


def test_as_many_files_may_be_open_as_the_system_allows(server: ServerProcess) -> None:
    limits = Path(f"/proc/{server.pid}/limits").read_text(encoding="ascii").partition("Max open files")[2].split()
    assert limits[0] == limits[1]


def test_an_answer_is_read_although_the_client_still_sends(server: ServerProcess) -> None:
    request = POST + b"Content-Length: 262144\r\n\r\n" + b"x" * 2**18
    with connect(server) as connection:
        connection.sendall(request)

        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("workers", [1, 2])
def test_wildcard_address_accepts_both_ipv6_and_ipv4(
    server: ServerProcess, sqlite_url: str, tmp_path: Path, workers: int
) -> None:
    with at_all_addresses(tmp_path, sqlite_url, "2") if workers == 2 else nullcontext(server) as asked:
        closing = GET[:-2] + b"Connection: close\r\n\r\n"
        assert answer_to(asked, closing, host="::1").startswith(b"HTTP/1.1 200 ")
        answer_to(asked, POST + b"Connection: close\r\nContent-Length: 0\r\n\r\n")
        wait_until(lambda: '"ip":"127.0.0.1"' in asked.log, "an IPv4 address written as such", 5)
