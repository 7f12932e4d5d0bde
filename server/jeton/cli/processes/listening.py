"""Listening sockets of a server, and the maximum number of its connections."""

import resource
import socket
from contextlib import suppress
from typing import Final

from jeton.cli.errors import CommandError

# File descriptors of a process that are not client connections: database sockets, files, pipes.
_RESERVED_FILES: Final = 128
_MAX_CONNECTIONS: Final = 10_000
# What the system buffers of responses that a client does not read. Left to itself, Linux buffers 4 MiB for each.
SEND_BUFFER_BYTES: Final = 128 * 1024


def bind_sockets(
    host: str, port: int, *, setting: str = "server.host and server.port", listen: bool = False
) -> list[socket.socket]:
    """Return a bound socket for each address of the host. A socket on `::` also accepts IPv4.

    Raise CommandError, which names the setting, if one cannot be bound.
    """
    bound: list[socket.socket] = []
    try:
        for family, _, _, _, address in _addresses(host, port):
            bound.append(_bind(family, address, also_ipv4=host == "::"))
            if listen:
                bound[-1].listen()
    except (OSError, UnicodeError) as error:
        for sock in bound:
            sock.close()
        reason = str(getattr(error, "strerror", None) or error).lower()
        raise CommandError(f"cannot listen on {host} port {port}: {reason}: see {setting}") from None
    return bound


def _addresses(host: str, port: int) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys(found))  # /etc/hosts may name an address twice


def _bind(family: int, address: tuple[object, ...], *, also_ipv4: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not also_ipv4))
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    sock.set_inheritable(True)
    return sock


def connection_limit(max_connections: int) -> int:
    """Return how many connections one process may hold: `max_connections`, or as many as its open files allow if 0.

    Raise the process's limit of open files to its hard limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    possible = max(soft - _RESERVED_FILES, soft // 2) if soft != resource.RLIM_INFINITY else _MAX_CONNECTIONS
    return min(max_connections or _MAX_CONNECTIONS, possible)
