"""Requests to addresses that others name: what is connected to, and what is accepted from there."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jeton.outbound.client import OutboundClient
from jeton.outbound.messages import OutboundError
from jeton.outbound.resolution import SystemResolver
from support.remote_server import RemoteRequest, RemoteServer, remote_server, response
from support.tls_certificates import tls_contexts

NAME = "client.example"
PUBLIC = "198.41.0.4"
pytestmark = pytest.mark.requirement("CI08", "LO22", "LO25")


class Resolver:
    """A resolver that returns each of the given lists of addresses in turn, and counts its calls."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0)


def serving(octets: bytes) -> AbstractAsyncContextManager[RemoteServer]:
    async def respond(_: RemoteRequest) -> bytes:
        return octets

    return remote_server(respond)


@asynccontextmanager
async def connected(*addresses: str, **options: Any) -> AsyncIterator[OutboundClient]:
    """Yield a client that resolves every name to these addresses. Private ones are allowed."""
    resolver = Resolver(*[addresses] * 9) if addresses else None
    yield OutboundClient(**{"allow_private_addresses": True, "resolve": resolver} | options)


async def failure(client: OutboundClient, uri: str) -> str:
    with pytest.raises(OutboundError) as caught:
        await client.get(uri)
    return caught.value.reason


async def test_request_has_the_form_and_headers() -> None:
    async with serving(response("204 No Content")) as server, connected("127.0.0.1") as client:
        got = await client.post_form(f"http://{NAME}:{server.port}/out?tenant=1", {"logout_token": "a+b", "state": ""})

    (request,) = server.requests
    assert (got.status, got.body) == (204, b"")
    assert request.line == "POST /out?tenant=1 HTTP/1.1"
    assert request.body == b"logout_token=a%2Bb&state="
    assert request.headers == {
        "host": f"{NAME}:{server.port}",
        "user-agent": "Jeton",
        "accept-encoding": "identity",
        "connection": "close",
        "content-type": "application/x-www-form-urlencoded",
        "content-length": "25",
    }


async def test_response_in_chunks_with_repeated_headers() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: public\r\nCACHE-CONTROL: max-age=5\r\n\r\n"
    async with serving(head + b"2\r\n{}\r\n0\r\n\r\n") as server, connected() as client:
        got = await client.get(f"http://localhost:{server.port}")

    assert (got.body, got.headers["cache-control"]) == (b"{}", "public, max-age=5")
    assert server.requests[0].line == "GET / HTTP/1.1"
    assert server.requests[0].headers["accept"] == "application/json"


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect", "404 Not Found", "500 Oops"])
async def test_redirects_and_errors_are_responses_and_are_not_followed(status: str) -> None:
    async with serving(response(status, b"", "Location: /elsewhere")) as server, connected("127.0.0.1") as client:
        got = await client.get(f"http://{NAME}:{server.port}/")

    assert got.status == int(status[:3])
    assert len(server.requests) == 1


async def test_connection_is_made_to_the_address_that_was_checked() -> None:
    resolver = Resolver(["127.0.0.1"], ["127.0.0.9"])
    async with serving(response()) as server, connected(resolve=resolver) as client:
        await client.get(f"http://{NAME}:{server.port}/")

    assert resolver.asked == [NAME]


@pytest.mark.parametrize(
    ("uri", "private", "addresses"),
    [
        # If one address is not allowed, none is used.
        *(("https://client.example/", False, it) for it in ([], ["127.0.0.1"], ["10.0.0.1"], [PUBLIC, "10.0.0.1"])),
        ("https://client.example/", False, ["::1", PUBLIC]),
        *(("https://client.example/", True, it) for it in (["169.254.169.254"], ["127.0.0.1", "0.0.0.0"])),
        ("http://client.example/", False, [PUBLIC]),  # without TLS
        *(("http://client.example/", True, it) for it in ([PUBLIC], ["127.0.0.1", PUBLIC])),
    ],
)
async def test_address_that_is_not_allowed_is_refused(uri: str, *, private: bool, addresses: list[str]) -> None:
    async with connected(*addresses, allow_private_addresses=private, resolve=Resolver(addresses)) as client:
        assert await failure(client, uri) == "address_not_allowed"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "127.1", "0x7f.1", "2130706433", "0177.0.0.1"])
async def test_every_spelling_of_loopback_is_refused(host: str) -> None:
    async with connected(allow_private_addresses=False) as client:
        assert await failure(client, f"https://{host}/") == "address_not_allowed"


@pytest.mark.parametrize(
    "uri",
    [
        *("ftp://client.example/", "file:///etc/passwd", "gopher://client.example/", "//client.example/", "https:///x"),
        *("https://user@client.example/", "https://user:secret@client.example/", "https://client.example/#part"),
        *("https://client.example:99999/", "https://client.example:x/", "https://[::1/", "https://client.example\\@x/"),
        *("https://client.example/\r\nX: y", "https://client.example/ ", "https://clïent.example/", ""),
        "https://client.example/" + "x" * 2048,
    ],
)
async def test_invalid_uri_is_refused(uri: str) -> None:
    async with connected(PUBLIC) as client:
        assert await failure(client, uri) == "invalid_uri"


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (response(body=b"x" * 1001), "too_large"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001, "too_large"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1001, "too_large"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 1000, "too_large"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20000 + b"\r\n\r\n", "too_large"),
        (response("200 OK", b"x", "Content-Encoding: gzip"), "invalid_response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx", "invalid_response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "invalid_response"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "invalid_response"),
        (b"", "invalid_response"),
    ],
)
async def test_invalid_response_is_refused(octets: bytes, reason: str) -> None:
    async with serving(octets) as server, connected("127.0.0.1", max_body_bytes=1000) as client:
        assert await failure(client, f"http://{NAME}:{server.port}/") == reason


async def test_slow_server_and_wait_for_a_free_place_end_at_the_deadline() -> None:
    async def never(_: RemoteRequest) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    options = {"deadline_seconds": 0.1, "max_concurrent": 1}
    async with remote_server(never) as server, connected("127.0.0.1", **options) as client:
        uri = f"http://{NAME}:{server.port}/"
        assert set(await asyncio.gather(failure(client, uri), failure(client, uri))) == {"timed_out"}
        assert len(server.requests) == 1


async def test_slow_name_server_ends_at_the_deadline_and_later_names_wait_for_a_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered, resolving = threading.Event(), list[str]()

    def getaddrinfo(host: str, port: int, type: int) -> list[Any]:
        resolving.append(host)
        answered.wait()
        return [(None, None, None, None, ("127.0.0.1", port))]

    async with serving(response()) as server:
        client = OutboundClient(allow_private_addresses=True, deadline_seconds=0.3, max_concurrent=1)
        with monkeypatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", getaddrinfo)
            for host in ("slow.example", "other.example"):
                assert await failure(client, f"http://{host}:{server.port}/") == "timed_out"
            assert resolving == ["slow.example"]
            answered.set()
            for thread in threading.enumerate():
                if thread.name == "resolution":
                    await asyncio.to_thread(thread.join)
            assert (await client.get(f"http://third.example:{server.port}/")).status == 200


async def test_host_without_an_address_and_port_without_a_server() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with connected() as client:
            assert await failure(client, "https://no-such-host.invalid/") == "host_not_found"
            assert await failure(client, f"https://{'x' * 64}.example/") == "host_not_found"
            assert await failure(client, f"http://127.0.0.1:{unused.getsockname()[1]}/") == "connection_failed"


async def test_tls_verifies_the_name_at_the_checked_address(tmp_path: Path) -> None:
    async def respond(_: RemoteRequest) -> bytes:
        return response(body=b"{}")

    of_server, of_client = tls_contexts(tmp_path, NAME)
    options: dict[str, Any] = {"tls_context": lambda: of_client}
    async with remote_server(respond, of_server) as server, connected("127.0.0.1", **options) as client:
        assert (await client.get(f"https://{NAME}:{server.port}/")).body == b"{}"
        assert await failure(client, f"https://other.example:{server.port}/") == "tls_failed"
        async with connected("127.0.0.1") as distrustful:
            assert await failure(distrustful, f"https://{NAME}:{server.port}/") == "tls_failed"


async def test_next_address_is_tried_the_largest_body_accepted_and_no_proxy_variable_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    addresses = ("127.0.0.9", "127.0.0.1")
    async with serving(response(body=b"x" * 1000)) as server, connected(*addresses, max_body_bytes=1000) as client:
        assert len((await client.get(f"http://{NAME}:{server.port}/")).body) == 1000


async def test_system_that_has_no_thread_left_loses_no_place_for_later_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("can't start new thread")

    resolve = SystemResolver(1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        with pytest.raises(OSError, match="thread"):
            await resolve("127.0.0.1", 80)
    assert await asyncio.wait_for(resolve("127.0.0.1", 80), 5) == ["127.0.0.1"]
