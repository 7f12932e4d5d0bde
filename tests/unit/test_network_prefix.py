"""Network prefixes in canonical notation (RFC 4291 section 2.2, RFC 5952)."""

import pytest

from jeton.rules.network_prefix import network_prefix, network_prefixes


@pytest.mark.parametrize(
    ("ip", "prefix"),
    [
        pytest.param("192.0.2.1", "192.0.2.1", id="a whole IPv4 address"),
        pytest.param("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", id="the /64 of an IPv6 address"),
        pytest.param("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64", id="another address of that /64"),
        pytest.param("2001:0DB8:0001:0002::", "2001:db8:1:2::/64", id="the same, written otherwise"),
        pytest.param("2001:db8:1:3::1", "2001:db8:1:3::/64", id="the next /64"),
        pytest.param("::ffff:192.0.2.1", "192.0.2.1", id="IPv4 as IPv6 writes it"),
        pytest.param("::FFFF:C000:0201", "192.0.2.1", id="the same in hexadecimal"),
        pytest.param("64:ff9b::c000:201", "192.0.2.1", id="IPv4 behind NAT64"),
        pytest.param("2002:c000:201:5::1", "192.0.2.1", id="IPv4 by 6to4"),
        pytest.param("2001:0:4136:e378:8000:63bf:3fff:fdfe", "192.0.2.1", id="IPv4 by Teredo"),
        pytest.param("fe80::1%eth0", "fe80::/64", id="with a zone"),
    ],
)
def test_addresses_of_one_holder_have_one_prefix(ip: str, prefix: str) -> None:
    assert network_prefix(ip) == prefix


@pytest.mark.parametrize(
    "ip",
    [None, "", "unknown", "192.0.2", "192.0.2.1:443", "192.0.2.01", "192.0.2.1%eth0", "[2001:db8::1]", "testclient"],
)
def test_invalid_address_has_no_prefix(ip: str | None) -> None:
    assert network_prefix(ip) is None


def test_an_ipv6_address_has_the_prefixes_of_a_network_a_site_and_an_organisation() -> None:
    prefixes = ("2001:db8:1:2300::/64", "2001:db8:1:2300::/56", "2001:db8:1::/48")

    assert network_prefixes("2001:db8:1:2300::7") == prefixes
    assert network_prefixes("192.0.2.1") == ("192.0.2.1",)
    assert network_prefixes("unknown") == ()
