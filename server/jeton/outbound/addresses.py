"""Which addresses this server connects to at the request of others (RFC 6890, the IANA special-purpose registries)."""

from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final


class AddressKind(Enum):
    """What an address is for: the public, an operator's own network, or nothing that a request could be meant for."""

    PUBLIC = "public"
    PRIVATE = "private"
    FORBIDDEN = "forbidden"


_PRIVATE: Final = (
    IPv4Network("127.0.0.0/8"),  # loopback
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),  # shared address space of providers (RFC 6598)
    IPv6Network("::1/128"),
    IPv6Network("fc00::/7"),  # unique local (RFC 4193)
)
# These answer with credentials of the machine, and are within ranges that are public or private.
_CLOUD_METADATA: Final = frozenset(
    {
        *(IPv4Address("168.63.129.16"), IPv4Address("100.100.100.200")),
        *(IPv6Address("fd00:ec2::254"), IPv6Address("fd20:ce::254")),
    }
)
_FORBIDDEN_IPV4: Final = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("169.254.0.0/16"),  # link-local, metadata services of clouds
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.0.2.0/24"),  # documentation
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    IPv4Network("198.18.0.0/15"),  # benchmarks
    IPv4Network("198.51.100.0/24"),  # documentation
    IPv4Network("203.0.113.0/24"),  # documentation
    IPv4Network("224.0.0.0/4"),  # multicast
    IPv4Network("240.0.0.0/4"),  # reserved, broadcast
)
# RFC 4291 section 2.4: an address outside of this is link-local, multicast, mapped IPv4 or not assigned.
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_FORBIDDEN_IPV6: Final = (
    IPv6Network("2001::/23"),  # protocol assignments, Teredo
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("2002::/16"),  # 6to4
    IPv6Network("3fff::/20"),  # documentation
)
# RFC 6052: how an IPv6-only network reaches IPv4. The address within is the one that is connected to.
_NAT64: Final = IPv6Network("64:ff9b::/96")


def classify(text: str) -> AddressKind:
    """Return what an IP address is for. A text that is not one is forbidden."""
    try:
        address = ip_address(text)
    except ValueError:
        return AddressKind.FORBIDDEN
    if isinstance(address, IPv6Address) and address in _NAT64:
        address = IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _CLOUD_METADATA:
        return AddressKind.FORBIDDEN
    if any(address in it for it in _PRIVATE):
        return AddressKind.PRIVATE
    return AddressKind.PUBLIC if _is_public(address) else AddressKind.FORBIDDEN


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in it for it in _FORBIDDEN_IPV4)
    return address in _GLOBAL_UNICAST and not any(address in it for it in _FORBIDDEN_IPV6)
