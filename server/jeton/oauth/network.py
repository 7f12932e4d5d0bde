"""Where a request comes from: the network prefix that one party is taken to hold."""

from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

_SITE_BITS: Final = 64


def network_prefix(ip: str | None) -> str | None:
    """A whole IPv4 address, or the /64 of an IPv6 one, in one notation; None where there is no address."""
    if ip is None:
        return None
    try:
        return str(IPv4Address(ip))
    except AddressValueError:
        pass
    try:
        address = IPv6Address(ip)
    except AddressValueError:
        return None
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> _SITE_BITS << _SITE_BITS)}/{_SITE_BITS}"
