"""Forged access tokens (RFC 8725): nothing in a token chooses its key or algorithm."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from jeton.crypto.signed_jwt import MAX_CHARACTERS, VerifiedToken, Verifier

OURS = rsa.generate_private_key(65537, 2048)
THEIRS = rsa.generate_private_key(65537, 2048)
CLAIMS = {"iss": "https://as.example", "sub": "u_1", "exp": 1_000_000}
Header = dict[str, Any]


def public_jwk(key: rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"kty": "RSA", "n": public["n"], "e": public["e"], "kid": kid, "use": "sig", "alg": "RS256"}


VERIFIER = Verifier([public_jwk(OURS, "ours")])
HEADER: Header = {"typ": "at+jwt", "alg": "RS256", "kid": "ours"}


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def compact(header: object, payload: bytes, sign: Callable[[bytes], bytes]) -> str:
    """A JWS made by hand, so that the header may be anything."""
    signed = encoded(json.dumps(header, separators=(",", ":")).encode()) + "." + encoded(payload)
    return signed + "." + encoded(sign(signed.encode()))


def rs256(key: rsa.RSAPrivateKey = OURS) -> Callable[[bytes], bytes]:
    return lambda message: RSAAlgorithm(RSAAlgorithm.SHA256).sign(message, key)


def hs256(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda message: hmac.digest(secret, message, hashlib.sha256)


def signed_by_us(header: object, claims: object = CLAIMS) -> str:
    return compact(header, json.dumps(claims).encode(), rs256())


TOKEN = signed_by_us(HEADER)
HEAD, BODY, SIGNATURE = TOKEN.split(".")
PEM = OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = OURS.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
MODULUS = OURS.public_key().public_numbers().n.to_bytes(256)


def test_own_token_is_accepted() -> None:
    assert VERIFIER.verify(TOKEN) == VerifiedToken("ours", CLAIMS)


def test_non_ascii_token_is_rejected() -> None:
    assert VERIFIER.verify("\udcff" + TOKEN) is None


@pytest.mark.parametrize(
    "header",
    [json.dumps(HEADER).encode(), json.dumps(HEADER, separators=(",", ":"), sort_keys=True).encode()],
    ids=["spaces", "another order"],
)
def test_header_with_another_serialization_is_rejected(header: bytes) -> None:
    signed = f"{encoded(header)}.{BODY}"

    assert VERIFIER.verify(f"{signed}.{encoded(rs256()(signed.encode()))}") is None


@pytest.mark.requirement("F05", "O05")
@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None])
@pytest.mark.parametrize("signature", ["", SIGNATURE], ids=["unsigned", "signed"])
def test_alg_none_is_refused(algorithm: str | None, signature: str) -> None:
    header = encoded(json.dumps(HEADER | {"alg": algorithm}).encode())

    assert VERIFIER.verify(f"{header}.{BODY}.{signature}") is None


@pytest.mark.requirement("F04", "O05")
@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(PEM, id="PEM"),
        pytest.param(PEM.strip(), id="PEM without line end"),
        pytest.param(DER, id="DER"),
        pytest.param(MODULUS, id="modulus"),
        pytest.param(json.dumps(public_jwk(OURS, "ours")).encode(), id="JWK"),
        pytest.param(b"", id="empty"),
    ],
)
def test_public_key_is_not_used_as_hmac_secret(secret: bytes) -> None:
    token = compact(HEADER | {"alg": "HS256"}, json.dumps(CLAIMS).encode(), hs256(secret))

    assert VERIFIER.verify(token) is None


@pytest.mark.requirement("F04")
@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256", "PS384", "PS512"])
def test_key_is_bound_to_one_algorithm(algorithm: str) -> None:
    token = jwt.encode(CLAIMS, OURS, algorithm, {"typ": "at+jwt", "kid": "ours"})

    assert VERIFIER.verify(token) is None


@pytest.mark.requirement("F12", "O05")
@pytest.mark.parametrize("kid", ["ours", "theirs"])
@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"jwk": public_jwk(THEIRS, "ours")}, id="jwk"),
        pytest.param({"jku": "https://evil.example/jwks.json"}, id="jku"),
        pytest.param({"x5u": "https://evil.example/cert.pem"}, id="x5u"),
        pytest.param({"x5c": ["MIIB"]}, id="x5c"),
    ],
)
def test_key_in_the_header_is_not_used(more: Header, kid: str) -> None:
    token = compact(HEADER | {"kid": kid} | more, json.dumps(CLAIMS).encode(), rs256(THEIRS))

    assert VERIFIER.verify(token) is None


@pytest.mark.requirement("F12")
@pytest.mark.parametrize(
    "kid", ["theirs", "", "OURS", "ours ", "../ours", "' OR '1'='1", "ours\0", None, 0, ["ours"], {"a": 1}]
)
def test_unknown_kid_is_rejected(kid: object) -> None:
    assert VERIFIER.verify(signed_by_us(HEADER | {"kid": kid})) is None


@pytest.mark.requirement("F12")
def test_a_token_without_kid_is_refused() -> None:
    assert VERIFIER.verify(signed_by_us({"typ": "at+jwt", "alg": "RS256"})) is None


@pytest.mark.requirement("F13", "F14", "G08", "O06")
@pytest.mark.parametrize("typ", ["JWT", "jwt", "", "rt+jwt", "dpop+jwt", "logout+jwt", "at+jwt ", None, 1, ["at+jwt"]])
def test_a_token_of_another_type_is_refused(typ: object) -> None:
    assert VERIFIER.verify(signed_by_us(HEADER | {"typ": typ})) is None


@pytest.mark.requirement("F13", "F14")
def test_a_token_without_type_is_refused() -> None:
    assert VERIFIER.verify(signed_by_us({"alg": "RS256", "kid": "ours"})) is None


@pytest.mark.requirement("E07", "F06")
@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"crit": ["exp"], "exp": 1}, id="unknown, present"),
        pytest.param({"crit": ["nothing"]}, id="unknown, absent"),
        pytest.param({"crit": ["kid", "x"], "x": 1}, id="one of two unknown"),
        pytest.param({"crit": ["b64"], "b64": False}, id="unencoded payload"),
    ],
)
def test_an_unknown_critical_extension_is_refused(more: Header) -> None:
    assert VERIFIER.verify(signed_by_us(HEADER | more)) is None


@pytest.mark.requirement("E07", "F06", "O19")
@pytest.mark.parametrize("crit", [None, True, 1, 1.5, "exp", {"exp": 1}, [1], [None], [["exp"]]], ids=repr)
@pytest.mark.parametrize("sign", [rs256(), rs256(THEIRS)], ids=["our key", "another key"])
def test_malformed_crit_is_rejected(crit: object, sign: Callable[[bytes], bytes]) -> None:
    token = compact(HEADER | {"crit": crit}, json.dumps(CLAIMS).encode(), sign)

    assert VERIFIER.verify(token) is None


@pytest.mark.requirement("E07", "F06", "F12")
@pytest.mark.parametrize(
    "more",
    [{"crit": []}, {"crit": ["alg"]}, {"cty": "JWT"}, {"x5t": "x"}, {"b64": True}, {"zip": "DEF"}, {"x": 1}],
    ids=repr,
)
def test_header_with_additional_members_is_rejected(more: Header) -> None:
    assert VERIFIER.verify(signed_by_us(HEADER | more)) is None


@pytest.mark.requirement("A48", "F06")
@pytest.mark.parametrize("position", range(0, 2048, 61))
def test_a_flipped_bit_of_the_signature_is_refused(position: int) -> None:
    signature = bytearray(base64.urlsafe_b64decode(SIGNATURE + "=="))
    signature[position // 8] ^= 1 << position % 8

    assert VERIFIER.verify(f"{HEAD}.{BODY}.{encoded(bytes(signature))}") is None


@pytest.mark.requirement("A48", "E08", "F06")
@pytest.mark.parametrize(
    "token",
    [
        pytest.param(f"{HEAD}.{encoded(json.dumps(CLAIMS | {'sub': 'u_2'}).encode())}.{SIGNATURE}", id="other claims"),
        pytest.param(f"{encoded(json.dumps(HEADER).encode() + b' ')}.{BODY}.{SIGNATURE}", id="other header"),
        pytest.param(TOKEN[:-1], id="one character less"),
        pytest.param(TOKEN + "A", id="one character more"),
        pytest.param(TOKEN + "=", id="padding"),
        pytest.param(TOKEN[:-1] + chr(ord(TOKEN[-1]) + 1), id="spare bits that are set"),
        pytest.param(TOKEN + "==", id="two characters of padding"),
        pytest.param(f"{HEAD}.{BODY}.{SIGNATURE[:9]}\n{SIGNATURE[9:]}", id="a line feed within"),
        pytest.param(f"{HEAD}.{BODY}.{SIGNATURE[:9]}!{SIGNATURE[9:]}", id="a character of no alphabet within"),
        pytest.param(TOKEN + "\n", id="line feed"),
        pytest.param(" " + TOKEN, id="space"),
        pytest.param(f"{HEAD}.{BODY}", id="two parts"),
        pytest.param(f"{HEAD}.{BODY}.", id="no signature"),
        pytest.param(f"{TOKEN}.{SIGNATURE}", id="four parts"),
        pytest.param(f"{HEAD}..{SIGNATURE}", id="no payload"),
        pytest.param(f".{BODY}.{SIGNATURE}", id="no header"),
        pytest.param("", id="empty"),
        pytest.param("..", id="dots"),
        pytest.param("é.é.é", id="not ASCII"),
        pytest.param(json.dumps({"payload": BODY, "protected": HEAD, "signature": SIGNATURE}), id="JSON form"),
        pytest.param(encoded(b"[" * 4000) + f".{BODY}.{SIGNATURE}", id="deeply nested header"),
    ],
)
def test_token_with_any_change_is_rejected(token: str) -> None:
    assert VERIFIER.verify(token) is None


@pytest.mark.requirement("F09")
@pytest.mark.parametrize("payload", [b"", b"[]", b'"text"', b"1", b"null", b"{", b'{"a":"\xff"}'], ids=repr)
def test_payload_that_is_not_an_object_is_rejected(payload: bytes) -> None:
    assert VERIFIER.verify(compact(HEADER, payload, rs256())) is None


@pytest.mark.requirement("A54")
def test_oversized_token_is_rejected_before_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    token = signed_by_us(HEADER, CLAIMS | {"pad": "x" * MAX_CHARACTERS})
    monkeypatch.setattr("joserfc.jws.extract_compact", lambda *_, **__: pytest.fail("it was parsed"))

    assert VERIFIER.verify(token) is None


def test_each_published_key_verifies_only_its_own_tokens() -> None:
    both = Verifier([public_jwk(OURS, "ours"), public_jwk(THEIRS, "theirs")])
    payload = json.dumps(CLAIMS).encode()

    assert both.verify(TOKEN) == VerifiedToken("ours", CLAIMS)
    assert both.verify(compact(HEADER | {"kid": "theirs"}, payload, rs256(THEIRS))) == VerifiedToken("theirs", CLAIMS)
    assert both.verify(compact(HEADER | {"kid": "theirs"}, payload, rs256(OURS))) is None
