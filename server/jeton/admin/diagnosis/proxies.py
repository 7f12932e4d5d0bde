"""Checks of `server.trusted_proxies` against the issuer and the address at which the server listens."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from jeton.admin.diagnosis.findings import Finding, fail, ok, warn
from jeton.rules.loopback import is_loopback

_CHECK: Final = "proxy"
_LOOPBACK: Final = (ip_address("127.0.0.1"), ip_address("::1"))


def check_proxies(issuer: str, host: str, trusted_proxies: Sequence[str]) -> Iterator[Finding]:
    """Yield whether the proxy that terminates TLS can be among the trusted ones."""
    behind_proxy = issuer.startswith("https://")
    networks = [ip_network(it) for it in trusted_proxies]
    public = [it for it in networks if it.num_addresses > 1 and it.is_global]
    if public:
        yield warn(
            _CHECK,
            f"server.trusted_proxies contains public networks: {', '.join(map(str, public))}",
            "name the addresses of the proxies only: every host in there can claim to be any client",
        )
    if behind_proxy and not networks:
        yield warn(
            _CHECK,
            "the issuer is https, so a proxy terminates TLS, and server.trusted_proxies is empty",
            "name the proxy: otherwise all users share its address, and one attacker uses up the rate limits of all",
        )
    elif behind_proxy and is_loopback(host) and not any(it in network for it in _peers(host) for network in networks):
        peers = " or ".join(map(str, _peers(host)))
        yield fail(
            _CHECK,
            f"only this machine reaches server.host {host}, and server.trusted_proxies does not contain {peers}",
            f"add {_peers(host)[0]}, from which the proxy connects",
        )
    elif not public:
        yield ok(_CHECK, f"trusted: {', '.join(map(str, networks))}" if networks else "none, and none is needed")


def _peers(host: str) -> Sequence[IPv4Address | IPv6Address]:
    """Return the addresses from which a proxy connects to a loopback host: of its version, or of both for a name."""
    if host == "localhost":
        return _LOOPBACK
    return [it for it in _LOOPBACK if it.version == ip_address(host).version]
