"""Client addresses behind proxies, of which only trusted ones are believed, and their network prefixes (RFC 5952)."""

import pytest
from starlette.types import Receive, Scope, Send

from jeton.http.client_address import ClientAddress
from jeton.http.trusted_proxies import TrustedProxies
from jeton.rules.network_prefix import network_prefix, network_prefixes

PEER = "10.0.0.1"


async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Do nothing, as an application."""


BEHIND = ClientAddress(nothing, TrustedProxies(["10.0.0.0/8", "2001:db8:ff::1", "::ffff:172.16.0.0/108"]))


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        pytest.param("192.0.2.1", "192.0.2.1", id="IPv4"),
        pytest.param("192.0.2.1:443", "192.0.2.1", id="IPv4 with a port"),
        pytest.param("2001:DB8:0001::00a1", "2001:db8:1::a1", id="IPv6 in another notation"),
        pytest.param("[2001:db8::1]", "2001:db8::1", id="IPv6 in brackets"),
        pytest.param("[2001:db8::1]:65535", "2001:db8::1", id="IPv6 in brackets with a port"),
        pytest.param("[fe80::1%eth0]:443", "fe80::1", id="with a zone and a port"),
        pytest.param("::ffff:192.0.2.1", "192.0.2.1", id="IPv4 as IPv6 writes it"),
        pytest.param("[::FFFF:c000:201]:1", "192.0.2.1", id="the same in hexadecimal"),
        pytest.param("64:ff9b::192.0.2.1", "192.0.2.1", id="NAT64"),
        pytest.param(" 203.0.113.9 ,\t192.0.2.1 ", "192.0.2.1", id="not what the client claims"),
        pytest.param("192.0.2.1, 10.9.9.9", "192.0.2.1", id="two proxies"),
        pytest.param("203.0.113.9, 192.0.2.1, 2001:db8:ff::1, 172.17.0.1", "192.0.2.1", id="proxies in every notation"),
        pytest.param("192.0.2.1, [::ffff:10.2.2.2]:80", "192.0.2.1", id="a proxy with a port"),
        pytest.param("10.3.3.3", "10.3.3.3", id="only proxies"),
        pytest.param("192.0.2.1, unknown, 10.2.2.2", "10.2.2.2", id="no address from the second proxy"),
        pytest.param(", ".join(["10.2.2.2"] * 5000), "10.2.2.2", id="too many proxies"),
    ],
)
def test_last_address_that_a_trusted_proxy_names_is_the_client(forwarded_for: str, client: str) -> None:
    assert BEHIND.find(PEER, forwarded_for) == client


NO_ADDRESSES = """
unknown UNKNOWN _hidden _SEVKISEK - localhost example.com unix: unix:/run/x null "192.0.2.1" for=192.0.2.1 % %eth0 : []
192.0.2 192.0.2.256 192.0.2.01 0300.0.2.1 0xc0.0.2.1 3221225985 192.0.2.1: 192.0.2.1:x 192.0.2.1:123456 192.0.2.1:_port
192.0.2.1%eth0 192.0.2.1/32 192.0.2.1; \u0661.2.3.4 [192.0.2.1 192.0.2.1] [unknown]:80 [2001:db8::1 [2001:db8::1]x []:80
[2001:db8::1]: [2001:db8::1]:-1 [[2001:db8::1]] 2001:db8::1]:80 :::1 2001:db8::1::2 2001:db8::12345
"""


def test_proxy_that_wrote_no_address_is_taken_for_the_client() -> None:
    elements = ["", " ", "192.0.2.1 192.0.2.2", "x" * 9000, *NO_ADDRESSES.split()]

    found = {it: [BEHIND.find(PEER, forwarded_for) for forwarded_for in (it, f"192.0.2.1, {it}")] for it in elements}

    assert found == {it: [PEER, PEER] for it in elements}


def test_only_a_peer_that_is_a_trusted_proxy_in_any_notation_is_believed() -> None:
    trusted, others = ["10.0.0.1", "::ffff:10.0.0.1", "::FFFF:0a00:1"], ["192.0.2.7", "2001:db8::7", "unix"]

    assert {it: BEHIND.find(it, "203.0.113.9") for it in trusted} == dict.fromkeys(trusted, "203.0.113.9")
    assert [BEHIND.find(it, "203.0.113.9") for it in others] == others


async def test_all_fields_of_a_request_are_one_list() -> None:
    fields = [(b"x-forwarded-for", b"203.0.113.9, 192.0.2.1"), (b"x-forwarded-for", b"10.2.2.2")]
    scope: Scope = {"type": "http", "client": (PEER, 1), "headers": fields}

    await BEHIND(scope, None, None)  # type: ignore[arg-type]

    assert scope["client"][0] == "192.0.2.1"


PREFIXES = {
    "192.0.2.1": "192.0.2.1",
    "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
    "2001:db8:1:2:ffff:ffff:ffff:ffff": "2001:db8:1:2::/64",
    "2001:0DB8:0001:0002::": "2001:db8:1:2::/64",
    "2001:db8:1:3::1": "2001:db8:1:3::/64",
    "fe80::1%eth0": "fe80::/64",
    # IPv4 as IPv6 writes it, behind NAT64, by 6to4, and by Teredo.
    **dict.fromkeys(["::ffff:192.0.2.1", "::FFFF:C000:0201", "64:ff9b::c000:201", "2002:c000:201:5::1"], "192.0.2.1"),
    "2001:0:4136:e378:8000:63bf:3fff:fdfe": "192.0.2.1",
}


def test_addresses_of_one_holder_have_one_prefix() -> None:
    assert {it: network_prefix(it) for it in PREFIXES} == PREFIXES


def test_invalid_address_has_no_prefix() -> None:
    invalid = ["", "unknown", "192.0.2", "192.0.2.1:443", "192.0.2.01", "192.0.2.1%eth0", "[2001:db8::1]", "testclient"]

    assert [ip for ip in [None, *invalid] if network_prefix(ip) is not None] == []
    assert [ip for ip in invalid if network_prefixes(ip)] == []


def test_ipv6_address_has_the_prefixes_of_a_network_a_site_and_an_organisation() -> None:
    prefixes = ("2001:db8:1:2300::/64", "2001:db8:1:2300::/56", "2001:db8:1::/48")

    assert network_prefixes("2001:db8:1:2300::7") == prefixes
    assert network_prefixes("192.0.2.1") == ("192.0.2.1",)
