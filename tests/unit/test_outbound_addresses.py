"""Which addresses are connected to at the request of others: every special-use range, both of its ends."""

import pytest

from jeton.outbound.addresses import AddressKind, classify

PUBLIC, PRIVATE, FORBIDDEN = AddressKind.PUBLIC, AddressKind.PRIVATE, AddressKind.FORBIDDEN
pytestmark = pytest.mark.requirement("CI08", "LO25")


@pytest.mark.parametrize(
    ("kind", "addresses"),
    [
        (PUBLIC, "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0"),
        (PUBLIC, "169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 223.255.255.255"),
        (PUBLIC, "2606:4700::1111 2001:200:: 2400:: 2003:: 2a00:1450::1 3ffe:ffff:: 64:ff9b::8.8.8.8"),
        (PRIVATE, "127.0.0.1 127.255.255.255 ::1"),
        (PRIVATE, "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255"),
        (PRIVATE, "100.64.0.0 100.127.255.255 fc00:: fdff:ffff::1 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1"),
        (FORBIDDEN, "0.0.0.0 0.255.255.255 ::"),  # "this" network, unspecified
        (FORBIDDEN, "169.254.0.0 169.254.169.254 169.254.255.255 fe80::1 fe80::1%eth0 fec0::1"),  # link-local
        # Metadata of clouds.
        (FORBIDDEN, "168.63.129.16 100.100.100.200 fd00:ec2::254 fd20:ce::254 64:ff9b::169.254.169.254"),
        (FORBIDDEN, "192.0.2.1 198.51.100.1 203.0.113.1 2001:db8::1 3fff::1 3fff:fff:ffff::1"),  # documentation
        (FORBIDDEN, "192.0.0.1 192.88.99.1 198.18.0.0 198.19.255.255"),
        (FORBIDDEN, "224.0.0.1 239.255.255.255 ff02::1 240.0.0.0 255.255.255.255"),
        (FORBIDDEN, "::ffff:8.8.8.8 ::ffff:127.0.0.1 ::8.8.8.8 ::ffff:0:8.8.8.8"),  # IPv4 in IPv6
        (FORBIDDEN, "2002:808:808::1 2001::1 2001:1ff:ffff::1 64:ff9b:1::1"),  # 6to4, Teredo, local NAT64
        (FORBIDDEN, "100::1 4000::1 5f00::1 1fff:ffff::1 localhost 127.1 0x7f000001 2130706433"),
    ],
)
def test_addresses_are_classified(kind: AddressKind, addresses: str) -> None:
    assert {it: classify(it) for it in addresses.split()} == dict.fromkeys(addresses.split(), kind)
