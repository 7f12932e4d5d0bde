"""Request smuggling (RFC 9112 section 11.2): through real proxies, a body is never answered as a request."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import pytest

from support.reverse_proxies import nginx, reverse_proxy
from support.server_processes import ServerProcess, free_port, server_process

NGINX: Final = """
map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
upstream jeton {{ server 127.0.0.1:{upstream}; keepalive 1; }}
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://jeton;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_request_buffering {buffering};
    }}
}}
"""
HAPROXY: Final = """
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    http-reuse always
listen jeton
    bind 127.0.0.1:{port}
    server one 127.0.0.1:{upstream}
"""
# The server logs what comes to this path, and nothing else asks for it.
SMUGGLED: Final = b"POST /oauth/revoke HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
UPGRADE: Final = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
WEBSOCKET: Final = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n"
)
SIZED: Final = b"Content-Length: %d\r\n\r\n" % len(SMUGGLED)
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS: Final = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
# Whether a proxy passes head and body on in one segment or in two is a matter of its timing.
ATTEMPTS: Final = 25
ATTACKS: Final = {
    "h2c": (UPGRADE + SIZED, SMUGGLED),
    "h2c, chunked": (UPGRADE + CHUNKED, CHUNKS),
    "websocket": (WEBSOCKET + SIZED, SMUGGLED),
    "both lengths": (b"Content-Length: 4\r\n" + CHUNKED, CHUNKS),
    "both lengths, the other way": (b"Transfer-Encoding: chunked\r\n" + SIZED, b"0\r\n\r\n" + SMUGGLED),
    "another coding": (b"Transfer-Encoding: xchunked\r\n" + SIZED, SMUGGLED),
    "a folded coding": (b"Transfer-Encoding:\r\n chunked\r\n" + SIZED, b"0\r\n\r\n" + SMUGGLED),
    "a bare LF in an extension": (CHUNKED, b"2;\nxx\r\n%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED) + 5, SMUGGLED)),
    "GET with a body": (SIZED, SMUGGLED),
    "nothing but a body to come": (b"Expect: 100-continue\r\n" + SIZED, SMUGGLED),
}


@pytest.fixture(scope="module")
def server(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with server_process(tmp_path_factory.mktemp("behind_proxies"), module_sqlite_url) as process:
        yield process


@pytest.fixture(scope="module", params=["no proxy", "nginx", "nginx without buffering", "haproxy"])
def port(
    request: pytest.FixtureRequest, server: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """The port of a proxy in front of the server, or of the server itself."""
    folder, port = tmp_path_factory.mktemp("proxy"), free_port()
    if request.param == "no proxy":
        yield server.port
        return
    if request.param == "haproxy":
        file = folder / "haproxy.cfg"
        file.write_text(HAPROXY.format(port=port, upstream=server.port))
        running = reverse_proxy(folder, port, "haproxy", "-f", str(file))
    else:
        buffering = "off" if "without" in request.param else "on"
        running = nginx(folder, NGINX.format(port=port, upstream=server.port, buffering=buffering), port)
    with running:
        yield port


def attack(port: int, *parts: bytes) -> None:
    """Send each part in a separate segment, without reading the whole response."""
    with socket.create_connection(("127.0.0.1", port), timeout=0.1) as connection, suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)
        connection.recv(65536)


@pytest.mark.parametrize("method", [b"POST", b"GET"])
@pytest.mark.parametrize(("fields", "body"), ATTACKS.values(), ids=ATTACKS)
def test_a_body_is_never_answered_as_a_request(
    server: ServerProcess, port: int, fields: bytes, body: bytes, method: bytes
) -> None:
    for _ in range(ATTEMPTS):
        attack(port, method + b" /livez HTTP/1.1\r\nHost: x\r\n" + fields, body)

    with socket.create_connection(("127.0.0.1", port), timeout=10) as victim:
        victim.sendall(b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: victim.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"keys"' in answer
    assert "/oauth/revoke" not in server.log


@pytest.mark.parametrize("upgrade", [b"", UPGRADE], ids=["plain", "with an upgrade"])
def test_a_form_arrives_completely(port: int, upgrade: bytes) -> None:
    """The clients offer HTTP/2 in clear text with their POST."""
    form = b"grant_type=password"
    head = b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n" + upgrade
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(form))
        client.sendall(form)
        assert client.recv(65536).startswith(b"HTTP/1.1 401 ")
