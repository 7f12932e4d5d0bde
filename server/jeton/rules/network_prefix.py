"""Network addresses: one spelling for each, and the prefixes that one party may hold."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

# RFC 6052: how an IPv6-only server sees IPv4 peers behind a translator. All of them would be one /64.
_NAT64: Final = IPv6Network("64:ff9b::/96")
# What one network, one site and one organisation hold (RFC 6177).
_PREFIX_BITS: Final = (64, 56, 48)


def parse_address(text: str) -> Address | None:
    """Return the address, or None if the text is none.

    An IPv6 address that stands for an IPv4 one (mapped, NAT64, 6to4, Teredo) becomes that one; a zone is dropped.
    """
    try:
        address = ip_address(text.partition("%")[0] if ":" in text else text)
    except ValueError:
        return None
    return address if isinstance(address, IPv4Address) else _embedded_ipv4(address) or address


def _embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


def network_prefixes(ip: str | None) -> tuple[str, ...]:
    """Return an IPv4 address, or the /64, /56 and /48 of an IPv6 one; nothing without an address."""
    address = None if ip is None else parse_address(ip)
    if address is None:
        return ()
    if isinstance(address, IPv4Address):
        return (str(address),)
    return tuple(str(IPv6Network((int(address), bits), strict=False)) for bits in _PREFIX_BITS)


def network_prefix(ip: str | None) -> str | None:
    """Return the smallest of the prefixes, or None without an address."""
    return next(iter(network_prefixes(ip)), None)
