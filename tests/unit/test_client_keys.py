"""JWK Sets of clients: which are accepted, and which key a header names."""

from typing import Any

import pytest

from jeton.oauth.client_keys import MAX_KEYS, ClientKeysError, find_key, parse_client_keys
from support.base64url import base64url
from support.tables import rows


def number(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8))


RSA: dict[str, Any] = {"kty": "RSA", "n": number(2**2047 + 1), "e": "AQAB", "kid": "rsa"}
EC = {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43, "kid": "ec"}
ED = {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "kid": "ed"}


def algorithms(*keys: Any) -> list[set[str]]:
    return [set(key.algorithms) for key in parse_client_keys({"keys": list(keys)})]


ADMITTED: list[tuple[dict[str, Any], set[str]]] = [
    (RSA, {"RS256", "PS256"}),
    (RSA | {"alg": "PS256"}, {"PS256"}),
    (RSA | {"crv": "P-256"}, {"RS256", "PS256"}),
    (EC, {"ES256"}),
    (EC | {"use": "sig", "key_ops": ["verify"]}, {"ES256"}),
    (ED, {"EdDSA", "Ed25519"}),
    (ED | {"alg": "EdDSA"}, {"EdDSA"}),
]
# RFC 7517 section 5.
WITHOUT_EFFECT: list[dict[str, Any]] = [
    *(RSA | {"alg": it} for it in ("HS256", "none", ["RS256"])),
    *(RSA | it for it in ({"use": "enc"}, {"key_ops": ["encrypt"]}, {"key_ops": "verify"})),
    *(EC | {"crv": "P-521"}, ED | {"crv": "X25519"}, ED | {"crv": ["Ed25519"]}),
    *({"kty": "AKP", "kid": "pq"}, {"kty": ["RSA"]}),
]
REFUSED: dict[str, list[list[Any]]] = {
    "private": [[RSA | {"d": "AQAB"}], [RSA | {"p": "AQAB"}], [ED | {"d": "AQAB"}]],
    "private or secret": [[{"kty": "oct", "k": "AQAB"}], [{"kty": "oct"}]],
    "2048": [[RSA | {"n": number(2**bits + 1)}] for bits in (1023, 2046)],
    "8192": [[RSA | {"n": number(2**8192 + 1)}]],
    "odd": [[RSA | {"n": number(2**2047)}], [RSA | {"e": "AQAC"}]],
    "65537": [[RSA | {"e": "Aw"}], [RSA | {"e": number(2**32 + 1)}]],
    "base64url": [[RSA | {"n": it}] for it in (RSA["n"] + "=", "+" + RSA["n"][1:], 5)],
    "missing": [[{"kty": "RSA", "e": "AQAB"}], [{"kty": "EC", "crv": "P-256", "x": "A" * 43}]],
    "octets": [[EC | {"x": "A" * 42}], [ED | {"x": "A" * 44}]],
    "kid": [[RSA, EC | {"kid": "rsa"}], *([RSA | {"kid": it}] for it in (5, "", "a\nb", "a" * 257))],
    "x5c": [[RSA | {"x5c": it}] for it in ([], "AAAA", ["-_-_"])],
    "characters": [[RSA | {"more": "a" * 65536}]],
    "1 to 16": [[], [{"kty": "RSA"}] * (MAX_KEYS + 1)],
    "JSON object": [["key"]],
}


@pytest.mark.requirement("CA05", "E10")
@pytest.mark.parametrize(("jwk", "allowed"), [*ADMITTED, *((it, set()) for it in WITHOUT_EFFECT)])
def test_a_key_is_used_with_the_algorithms_of_its_type_that_it_admits(jwk: dict[str, Any], allowed: set[str]) -> None:
    assert algorithms(jwk) == [allowed]


@pytest.mark.requirement("CA05", "CA11")
@pytest.mark.parametrize(("reason", "keys"), rows(REFUSED))
def test_a_set_with_a_private_weak_or_malformed_key_is_refused(reason: str, keys: list[Any]) -> None:
    with pytest.raises(ClientKeysError, match=reason):
        parse_client_keys({"keys": keys})


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": None}, {"keys": {}}])
def test_a_set_is_an_object_with_an_array_of_keys(document: object) -> None:
    with pytest.raises(ClientKeysError, match="JSON object"):
        parse_client_keys(document)


def test_only_the_members_of_the_key_and_its_own_certificate_are_kept() -> None:
    (key,) = parse_client_keys({"keys": [EC | {"x5c": ["AQID", "BAUG"], "x5u": "https://evil.example", "n": "AQAB"}]})

    assert key.jwk == {"kty": "EC", "crv": "P-256", "x": EC["x"], "y": EC["y"]}
    assert key.certificate == b"\1\2\3"
    (unknown,) = parse_client_keys({"keys": [{"kty": "new", "x5c": ["AQID"]}]})
    assert (unknown.jwk, unknown.certificate) == ({}, b"\1\2\3")


@pytest.mark.requirement("CA05")
def test_a_header_names_a_key_by_kid_or_the_only_one_that_fits() -> None:
    keys = parse_client_keys({"keys": [RSA, RSA | {"kid": "rsa 2"}, EC, ED]})
    named = {("rsa", "RS256"): "rsa", ("rsa", "PS256"): "rsa", (None, "EdDSA"): "ed"}
    others = [("rsa", "ES256"), ("rsa", "none"), *((it, "RS256") for it in ("unknown", "", None))]

    assert {it: key.kid for it in [*named, *others] if (key := find_key(keys, *it))} == named
