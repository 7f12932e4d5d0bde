"""Which peers are trusted proxies."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from jeton.rules.network_prefix import Address, parse_address

_MAPPED_BITS: Final = 96


class TrustedProxies:
    """Addresses and networks of proxies."""

    def __init__(self, proxies: Iterable[str]) -> None:
        self._networks = tuple(_network(proxy) for proxy in proxies)

    def include(self, address: Address | str) -> bool:
        """Return whether the address is one of a trusted proxy; what is no address is not."""
        parsed = parse_address(address) if isinstance(address, str) else address
        return parsed is not None and any(parsed in network for network in self._networks)


def _network(text: str) -> IPv4Network | IPv6Network:
    """Return the network. IPv4 addresses that are written as IPv6 addresses yield an IPv4 network."""
    network = ip_network(text)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
