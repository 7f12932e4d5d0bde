"""JWK Sets of clients: which are accepted, and which key a header names."""

import base64
from typing import Any

import pytest

from jeton.oauth.client_keys import MAX_KEYS, ClientKeysError, find_key, parse_client_keys


def base64url(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8)).rstrip(b"=").decode()


RSA = {"kty": "RSA", "n": base64url(2**2047 + 1), "e": "AQAB", "kid": "rsa"}
EC = {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43, "kid": "ec"}
ED = {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "kid": "ed"}


def algorithms(*keys: Any) -> list[set[str]]:
    return [set(key.algorithms) for key in parse_client_keys({"keys": list(keys)})]


@pytest.mark.requirement("CA05", "E10")
@pytest.mark.parametrize(
    ("jwk", "allowed"),
    [
        (RSA, {"RS256", "PS256"}),
        (RSA | {"alg": "PS256"}, {"PS256"}),
        (RSA | {"crv": "P-256"}, {"RS256", "PS256"}),
        (EC, {"ES256"}),
        (EC | {"use": "sig", "key_ops": ["verify"]}, {"ES256"}),
        (ED, {"EdDSA", "Ed25519"}),
        (ED | {"alg": "EdDSA"}, {"EdDSA"}),
        # Without effect, as RFC 7517 section 5 has it.
        (RSA | {"alg": "HS256"}, set()),
        (RSA | {"alg": "none"}, set()),
        (RSA | {"alg": ["RS256"]}, set()),
        (RSA | {"use": "enc"}, set()),
        (RSA | {"key_ops": ["encrypt"]}, set()),
        (RSA | {"key_ops": "verify"}, set()),
        (EC | {"crv": "P-521"}, set()),
        (ED | {"crv": "X25519"}, set()),
        (ED | {"crv": ["Ed25519"]}, set()),
        ({"kty": "AKP", "kid": "pq"}, set()),
        ({"kty": ["RSA"]}, set()),
    ],
)
def test_a_key_is_used_with_the_algorithms_of_its_type_that_it_admits(jwk: dict[str, Any], allowed: set[str]) -> None:
    assert algorithms(jwk) == [allowed]


@pytest.mark.requirement("CA05", "CA11")
@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        pytest.param([RSA | {"d": "AQAB"}], "private", id="private RSA"),
        pytest.param([RSA | {"p": "AQAB"}], "private", id="factor"),
        pytest.param([ED | {"d": "AQAB"}], "private", id="private OKP"),
        pytest.param([{"kty": "oct", "k": "AQAB"}], "private or secret", id="symmetric"),
        pytest.param([{"kty": "oct"}], "private or secret", id="symmetric, empty"),
        pytest.param([RSA | {"n": base64url(2**1023 + 1)}], "2048", id="1024 bits"),
        pytest.param([RSA | {"n": base64url(2**2046 + 1)}], "2048", id="2047 bits"),
        pytest.param([RSA | {"n": base64url(2**8192 + 1)}], "8192", id="8193 bits"),
        pytest.param([RSA | {"n": base64url(2**2047)}], "odd", id="even modulus"),
        pytest.param([RSA | {"e": "Aw"}], "65537", id="exponent 3"),
        pytest.param([RSA | {"e": base64url(2**32 + 1)}], "65537", id="long exponent"),
        pytest.param([RSA | {"e": "AQAC"}], "odd", id="even exponent"),
        pytest.param([RSA | {"n": RSA["n"] + "="}], "base64url", id="padding"),
        pytest.param([RSA | {"n": "+" + RSA["n"][1:]}], "base64url", id="base64"),
        pytest.param([RSA | {"n": 5}], "base64url", id="number"),
        pytest.param([{"kty": "RSA", "e": "AQAB"}], "missing", id="no modulus"),
        pytest.param([EC | {"x": "A" * 42}], "octets", id="short coordinate"),
        pytest.param([ED | {"x": "A" * 44}], "octets", id="long coordinate"),
        pytest.param([{"kty": "EC", "crv": "P-256", "x": "A" * 43}], "missing", id="no y"),
        pytest.param([RSA, EC | {"kid": "rsa"}], "kid", id="same kid"),
        pytest.param([RSA | {"kid": 5}], "kid", id="kid no text"),
        pytest.param([RSA | {"kid": ""}], "kid", id="kid empty"),
        pytest.param([RSA | {"kid": "a\nb"}], "kid", id="kid with newline"),
        pytest.param([RSA | {"kid": "a" * 257}], "kid", id="kid long"),
        pytest.param([RSA | {"x5c": []}], "x5c", id="x5c empty"),
        pytest.param([RSA | {"x5c": "AAAA"}], "x5c", id="x5c no array"),
        pytest.param([RSA | {"x5c": ["-_-_"]}], "x5c", id="x5c base64url"),
        pytest.param([RSA | {"more": "a" * 65536}], "characters", id="too long"),
        pytest.param([], "1 to 16", id="empty"),
        pytest.param([{"kty": "RSA"}] * (MAX_KEYS + 1), "1 to 16", id="too many"),
        pytest.param(["key"], "JSON object", id="key no object"),
    ],
)
def test_a_set_with_a_private_weak_or_malformed_key_is_refused(keys: list[Any], reason: str) -> None:
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


@pytest.mark.requirement("CA05")
@pytest.mark.parametrize(
    ("kid", "algorithm", "found"),
    [
        ("rsa", "RS256", "rsa"),
        ("rsa", "PS256", "rsa"),
        ("rsa", "ES256", None),
        ("rsa", "none", None),
        ("unknown", "RS256", None),
        ("", "RS256", None),
        (None, "EdDSA", "ed"),
        (None, "RS256", None),
    ],
)
def test_a_header_names_a_key_by_kid_or_the_only_one_that_fits(
    kid: str | None, algorithm: str, found: str | None
) -> None:
    keys = parse_client_keys({"keys": [RSA, RSA | {"kid": "rsa 2"}, EC, ED]})

    key = find_key(keys, kid, algorithm)

    assert (key and key.kid) == found
