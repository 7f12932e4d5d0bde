"""Forged access tokens (RFC 8725): nothing in a token chooses its key or algorithm."""

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

from jeton.crypto.signed_jwt import VerifiedToken, Verifier
from support.base64url import base64url
from support.rsa_keys import rsa_private_key

OURS, THEIRS = (rsa_private_key(it) for it in range(2))
CLAIMS = {"iss": "https://as.example", "sub": "u_1", "exp": 1_000_000}
PAYLOAD = json.dumps(CLAIMS).encode()
HEADER: dict[str, Any] = {"typ": "at+jwt", "alg": "RS256", "kid": "ours"}


def public_jwk(key: rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"kty": "RSA", "n": public["n"], "e": public["e"], "kid": kid, "use": "sig", "alg": "RS256"}


def rs256(key: rsa.RSAPrivateKey = OURS) -> Callable[[bytes], bytes]:
    return lambda message: RSAAlgorithm(RSAAlgorithm.SHA256).sign(message, key)


def hs256(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda message: hmac.digest(secret, message, hashlib.sha256)


SIGN = rs256()


def compact(header: object, payload: bytes = PAYLOAD, sign: Callable[[bytes], bytes] = SIGN) -> str:
    """Make a JWS by hand, so that the header may be anything: an object, or its serialization."""
    serialized = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    signed = f"{base64url(serialized)}.{base64url(payload)}"
    return f"{signed}.{base64url(sign(signed.encode()))}"


VERIFIER = Verifier([public_jwk(OURS, "ours")])
TOKEN = compact(HEADER)
HEAD, BODY, SIGNATURE = TOKEN.split(".")
PUBLIC = OURS.public_key()
PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
MODULUS = PUBLIC.public_numbers().n.to_bytes(256)
TYPES = ["JWT", "jwt", "", "rt+jwt", "dpop+jwt", "logout+jwt", "at+jwt ", None, 1, ["at+jwt"]]
KIDS = ["theirs", "", "OURS", "ours ", "../ours", "' OR '1'='1", "ours\0", None, 0, ["ours"], {"a": 1}]
CRITICAL = [None, True, 1, 1.5, "exp", {"exp": 1}, [1], [None], [["exp"]], [], ["alg"], ["nothing"]]


@pytest.mark.requirement("E07", "F06", "F12", "F13", "F14", "G08", "O05", "O06", "O19")
def test_token_with_another_header_is_rejected_regardless_of_its_signer() -> None:
    changes: list[dict[str, Any]] = [
        *({"typ": it} for it in TYPES),
        *({"kid": it} for it in KIDS),
        *({"crit": it} for it in CRITICAL),
        {"crit": ["exp"], "exp": 1},
        {"crit": ["kid", "x"], "x": 1},
        {"crit": ["b64"], "b64": False},
        *({"cty": "JWT"}, {"x5t": "x"}, {"b64": True}, {"zip": "DEF"}, {"x": 1}),
        {"jwk": public_jwk(THEIRS, "ours")},
        {"jwk": public_jwk(THEIRS, "theirs"), "kid": "theirs"},
        *({"jku": "https://evil.example/jwks.json"}, {"x5u": "https://evil.example/cert.pem"}, {"x5c": ["MIIB"]}),
    ]
    assert [it for it in changes if VERIFIER.verify(compact(HEADER | it))] == []
    assert [it for it in changes if VERIFIER.verify(compact(HEADER | it, sign=rs256(THEIRS)))] == []


@pytest.mark.requirement("A48", "E08", "F06", "F09")
@pytest.mark.parametrize(
    "token",
    [
        pytest.param(
            f"{HEAD}.{base64url(json.dumps(CLAIMS | {'sub': 'u_2'}).encode())}.{SIGNATURE}", id="other claims"
        ),
        pytest.param(f"{base64url(json.dumps(HEADER).encode() + b' ')}.{BODY}.{SIGNATURE}", id="other header"),
        pytest.param(compact(json.dumps(HEADER).encode()), id="header with spaces"),
        pytest.param(
            compact(json.dumps(HEADER, separators=(",", ":"), sort_keys=True).encode()), id="header reordered"
        ),
        pytest.param(TOKEN[:-1], id="one character less"),
        pytest.param(TOKEN + "A", id="one character more"),
        pytest.param(TOKEN + "=", id="padding"),
        pytest.param(TOKEN + "==", id="two characters of padding"),
        pytest.param(TOKEN[:-1] + chr(ord(TOKEN[-1]) + 1), id="excess bits"),
        pytest.param(f"{HEAD}.{BODY}.{SIGNATURE[:9]}\n{SIGNATURE[9:]}", id="line feed inside"),
        pytest.param(f"{HEAD}.{BODY}.{SIGNATURE[:9]}!{SIGNATURE[9:]}", id="character outside the alphabet"),
        pytest.param(TOKEN + "\n", id="line feed after"),
        pytest.param(" " + TOKEN, id="space before"),
        pytest.param("\udcff" + TOKEN, id="surrogate before"),
        pytest.param(f"{HEAD}.{BODY}", id="two parts"),
        pytest.param(f"{HEAD}.{BODY}.", id="no signature"),
        pytest.param(f"{TOKEN}.{SIGNATURE}", id="four parts"),
        pytest.param(f"{HEAD}..{SIGNATURE}", id="no payload"),
        pytest.param(f".{BODY}.{SIGNATURE}", id="no header"),
        pytest.param("", id="empty"),
        pytest.param("..", id="dots"),
        pytest.param("é.é.é", id="not ASCII"),
        pytest.param(json.dumps({"payload": BODY, "protected": HEAD, "signature": SIGNATURE}), id="JSON serialization"),
        pytest.param(base64url(b"[" * 4000) + f".{BODY}.{SIGNATURE}", id="deeply nested header"),
        *(pytest.param(compact(HEADER, it), id=f"payload {it!r}") for it in (b"", b"[]", b'"text"', b"1", b"null")),
        *(pytest.param(compact(HEADER, it), id=f"payload {it!r}") for it in (b"{", b'{"a":"\xff"}')),
    ],
)
def test_token_with_any_change_is_rejected(token: str) -> None:
    assert VERIFIER.verify(token) is None


SECRETS = {
    "PEM": PEM,
    "PEM without line end": PEM.strip(),
    "DER": DER,
    "modulus": MODULUS,
    "JWK": json.dumps(public_jwk(OURS, "ours")).encode(),
    "empty": b"",
}
NONE = {it: compact(HEADER | {"alg": it}).split(".") for it in ("none", "None", "NONE", "nOnE", "", None)}
OTHER_ALGORITHMS = ("RS384", "RS512", "PS256", "PS384", "PS512")
FORGED = {
    **{f"no {name}": compact({it: HEADER[it] for it in HEADER if it != name}) for name in HEADER},
    **{
        f"alg {it!r}, signature {at}": f"{head}.{body}.{signature}"
        for it, (head, body, own) in NONE.items()
        for at, signature in enumerate(("", SIGNATURE, own))
    },
    **{f"HMAC by {name}": compact(HEADER | {"alg": "HS256"}, sign=hs256(secret)) for name, secret in SECRETS.items()},
    **{it: jwt.encode(CLAIMS, OURS, it, {"typ": "at+jwt", "kid": "ours"}) for it in OTHER_ALGORITHMS},
}


@pytest.mark.requirement("F04", "F05", "F12", "F13", "F14", "O05")
@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
def test_token_by_another_algorithm_is_rejected(token: str) -> None:
    assert VERIFIER.verify(token) is None


@pytest.mark.requirement("A54")
def test_oversized_token_is_rejected_before_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    padded = (compact(HEADER, json.dumps(CLAIMS | {"pad": "x" * size}).encode()) for size in range(5700, 5800))
    longest = next(it for it in padded if len(it) == 8192)
    assert VERIFIER.verify(longest) is not None

    monkeypatch.setattr("jeton.crypto.signed_jwt.verify", lambda *_: pytest.fail("it was parsed"))
    assert VERIFIER.verify(longest + "A") is None
    assert not VERIFIER.lacks_key_of(compact(HEADER | {"kid": "new"}, json.dumps({"pad": "x" * 8192}).encode()))


@pytest.mark.parametrize(
    ("token", "lacks"),
    [
        pytest.param(compact(HEADER | {"kid": "new"}), True, id="unknown kid"),
        pytest.param(compact(HEADER | {"alg": "ES256"}), True, id="known kid, other algorithm"),
        pytest.param(TOKEN, False, id="known kid"),
        pytest.param(compact(HEADER | {"kid": "new"}).partition(".")[0], False, id="header only"),
        pytest.param(compact(HEADER | {"kid": "new", "x": 1}), False, id="additional member"),
        pytest.param(compact(HEADER | {"kid": "new", "typ": "JWT"}), False, id="other type"),
        pytest.param(compact({"typ": "at+jwt", "alg": "RS256"}), False, id="no kid"),
        pytest.param(compact({"typ": "at+jwt", "kid": "new"}), False, id="no alg"),
        pytest.param(compact([]), False, id="no object"),
        pytest.param("!." + BODY, False, id="not base64"),
        pytest.param("é." + BODY, False, id="not ASCII"),
        pytest.param(base64url(b"[" * 4000) + "." + BODY, False, id="deeply nested"),
    ],
)
def test_missing_key_is_reported_only_for_a_valid_header_with_an_unknown_kid(token: str, lacks: bool) -> None:
    assert VERIFIER.lacks_key_of(token) is lacks


def test_each_published_key_verifies_only_its_own_tokens() -> None:
    both = Verifier([public_jwk(OURS, "ours"), public_jwk(THEIRS, "theirs")])
    of_theirs = HEADER | {"kid": "theirs"}

    assert VERIFIER.verify(TOKEN) == both.verify(TOKEN) == VerifiedToken("ours", CLAIMS)
    assert both.verify(compact(of_theirs, sign=rs256(THEIRS))) == VerifiedToken("theirs", CLAIMS)
    assert both.verify(compact(of_theirs)) is None
    assert "u_1" not in repr(both.verify(TOKEN))
