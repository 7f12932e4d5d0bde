"""Network prefixes: the unit by which clients are rate-limited and compared, for IPv4 and IPv6 addresses."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

# RFC 6052: an IPv6-only server sees all IPv4 peers behind a translator in this prefix.
_NAT64: Final = IPv6Network("64:ff9b::/96")
# Assigned to one network, one site and one organisation (RFC 6177).
_PREFIX_BITS: Final = (64, 56, 48)


def parse_address(text: str) -> Address | None:
    """Return the address, or None if the text is not one.

    An IPv6 address that embeds an IPv4 one (mapped, NAT64, 6to4, Teredo) becomes that one; a zone is dropped.
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
    """Return an IPv4 address itself, or the /64, /56 and /48 of an IPv6 one; empty if there is no address."""
    address = None if ip is None else parse_address(ip)
    if address is None:
        return ()
    if isinstance(address, IPv4Address):
        return (str(address),)
    return tuple(str(IPv6Network((int(address), bits), strict=False)) for bits in _PREFIX_BITS)


def network_prefix(ip: str | None) -> str | None:
    """Return the longest of the prefixes (IPv4: the address), or None if there is no address."""
    return next(iter(network_prefixes(ip)), None)
