"""DPoP proofs, valid and hostile (RFC 9449 section 4.3), for `GET https://api.example/` with the token `bound`."""

from base64 import urlsafe_b64decode
from hashlib import sha256
from typing import Any, Final

from vectors.signing import base64url, jwt, jwt_by_secret, keys, public_pem, respelled, segment, without

URL: Final = "https://api.example/"
TOKEN: Final = "bound"
NOW: Final = 1_800_000_000
_ATH: Final = base64url(sha256(TOKEN.encode()).digest())
_CLAIMS: Final = {"jti": "p1", "htm": "GET", "htu": URL, "iat": NOW, "ath": _ATH}


def dpop_proofs() -> list[dict[str, Any]]:
    """Return the cases: the DPoP headers and the request, and the proof, or the reason of its rejection."""
    valid = [{"name": name, **given, "returns": {"jti": "p1", **returns}} for name, given, returns in _valid()]
    return valid + [
        {"name": f"{reason}: {name}", **given, "raises": {"name": "InvalidProofError", "reason": reason}}
        for reason, cases in _INVALID.items()
        for name, given in cases.items()
    ]


def _public(kid: str) -> dict[str, Any]:
    return keys()[kid].as_dict(private=False)


def proof(header: dict[str, Any] | None = None, kid: str = "ed", alg: str = "EdDSA", **claims: Any) -> str:
    """Return a proof with these members of its header and claims, signed by this key."""
    jwk = {name: value for name, value in _public(kid).items() if name in ("kty", "crv", "x", "y", "n", "e")}
    return jwt({"typ": "dpop+jwt", "alg": alg, "jwk": jwk, **(header or {})}, {**_CLAIMS, **claims}, kid, alg)


def _given(*proofs: str, kid: str = "ed", **more: Any) -> dict[str, Any]:
    """Return what a case gives: by default one proof of the key to which the token is bound."""
    return {"proofs": list(proofs or [proof()]), "thumbprint": keys()[kid].thumbprint(), **more}


def _valid() -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    ed25519 = proof({"alg": "Ed25519"})
    own = {"jku": "https://evil.example/jwks", "kid": "one"}
    return [
        ("valid", _given(), {"target": URL, "nonce": None}),
        ("by ES256", _given(proof(kid="ec", alg="ES256"), kid="ec"), {}),
        ("by Ed25519", _given(ed25519), {}),
        ("with a nonce", _given(proof(nonce="n1")), {"nonce": "n1"}),
        ("for another method", _given(proof(htm="POST"), method="POST"), {}),
        ("60 seconds old", _given(proof(iat=NOW - 60)), {}),
        ("10 seconds ahead", _given(proof(iat=NOW + 10)), {}),
        ("old, where nonces limit the age", _given(proof(iat=1), has_nonces=True), {}),
        ("with an end", _given(proof(exp=NOW + 1, nbf=NOW)), {}),
        ("the longest identifier", _given(proof(jti="j" * 256)), {"jti": "j" * 256}),
        ("a URL that is ignored, and a kid", _given(proof(own)), {}),
        *((f"at {htu}", _given(proof(htu=htu)), {"target": URL}) for htu in _SAME),
        *((f"{htu} at {url}", _given(proof(htu=htu), url=url), {"target": target}) for htu, url, target in _EQUIVALENT),
    ]


_SAME: Final = (
    "https://api.example",
    "HTTPS://API.example/",
    "https://api.example:443/?a=b",
    "https://api.example/#top",
)
_EQUIVALENT: Final = (
    ("https://api.example/a%2fb", "https://api.example/a%2Fb?x=1", "https://api.example/a%2Fb"),
    ("https://api.example/%7ebea", "https://api.example/~bea", "https://api.example/~bea"),
    ("http://127.0.0.1:80/mcp", "http://127.0.0.1/mcp", "http://127.0.0.1/mcp"),
    ("http://[::1]:8001/mcp", "http://[::1]:8001/mcp", "http://[::1]:8001/mcp"),
)


# The target of the request is URL; a request without a valid URL has none.
_OTHER_TARGETS: Final[list[Any]] = [
    *("http://api.example/", "https://api.example:8443/", "https://api.example/orders", "https://other.example/"),
    *("https://api.example.evil.example/", "https://bea@api.example/", "https://api.example\\@evil.example/", "/"),
    *("https://api.example//", "https://api.example/.", "", "https://api.example/\n", None, [URL]),
]


_BY_CLAIM: Final[dict[str, list[Any]]] = {
    "jti": [None, "", 1, "j" * 257],
    "htm": ["POST", "get", None],
    "htu": _OTHER_TARGETS,
    "ath": [None, "", base64url(sha256(b"another").digest()), TOKEN],
    "iat": [NOW - 61, NOW + 11, str(NOW), None, True],
    "exp": [NOW, "never"],
    "nbf": [NOW + 11, None],
}
_HEAD, _BODY, _SIGNATURE = proof().split(".")
_ONE_BIT: Final = bytes(octet ^ (at == 0) for at, octet in enumerate(urlsafe_b64decode(_SIGNATURE + "==")))
_BARE: Final = {"typ": "dpop+jwt", "jwk": _public("ed")}
_POINT: Final = without(_public("ec"), "kid")
_UNUSABLE: Final = {
    "none": None,
    "a list": [_public("ed")],
    "symmetric": {"kty": "oct", "k": "c2VjcmV0"},
    "on another curve": {**_POINT, "crv": "P-384"},
    "off its curve": {**_POINT, "y": base64url(bytes(32))},
    "for encryption": {**_public("ed"), "use": "enc"},
    "a name": "one",
}
_NO_URL: Final = "https://bea@api.example/"
_INVALID: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "missing": {"no header": {**_given(), "proofs": []}},
    "several": {"two headers": _given(proof(), proof())},
    "malformed": {
        "two in one header": _given(f"{proof()}, {proof()}"),
        "no JWT": _given("proof"),
        "empty": _given(""),
        "in another spelling": _given(respelled(proof())),
        "too long": _given(proof(padding="x" * 4096)),
    },
    "typ": {repr(typ): _given(proof({"typ": typ})) for typ in ("JWT", "at+jwt", None)},
    "alg": {
        "none": _given(f"{segment({**_BARE, 'alg': 'none'})}.{_BODY}.AA"),
        "HS256 with the public key": _given(jwt_by_secret({**_BARE, "alg": "HS256"}, _CLAIMS, public_pem("one"))),
        "RS256, which is not offered": _given(proof(kid="one", alg="RS256"), kid="one"),
        "not that of the key": _given(jwt({**_BARE, "alg": "ES256"}, _CLAIMS)),
    },
    "crit": {"an extension": _given(proof({"crit": ["exp"]}))},
    "jwk": {
        "its private part": _given(proof({"jwk": keys()["ed"].as_dict(private=True)})),
        **{name: _given(proof({"jwk": jwk})) for name, jwk in _UNUSABLE.items()},
    },
    "thumbprint": {"another key": _given(kid="ec"), "another form": _given(thumbprint="")},
    "signature": {
        "one bit": _given(f"{_HEAD}.{_BODY}.{base64url(_ONE_BIT)}"),
        "other claims": _given(f"{_HEAD}.{segment({**_CLAIMS, 'jti': 'p2'})}.{_SIGNATURE}"),
        "by another key": _given(jwt({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": _public("ed")}, _CLAIMS, "one")),
    },
    **{
        name: {f"{name} {value!r}": _given(proof(**{name: value})) for value in values}
        for name, values in _BY_CLAIM.items()
    },
}
_INVALID["htu"]["a request at no URL"] = _given(proof(htu=_NO_URL), url=_NO_URL)
