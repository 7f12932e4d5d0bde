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
        for reason, cases in _invalid().items()
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


def _invalid() -> dict[str, dict[str, dict[str, Any]]]:
    """Return the cases by reason."""
    private = {"jwk": keys()["ed"].as_dict(private=True)}
    claims: dict[str, dict[str, list[Any]]] = {
        "jti": {"jti": [None, "", 1, "j" * 257]},
        "htm": {"htm": ["POST", "get", None]},
        "htu": {"htu": _OTHER_TARGETS},
        "ath": {"ath": [None, "", base64url(sha256(b"another").digest()), TOKEN]},
        "iat": {"iat": [NOW - 61, NOW + 11, str(NOW), None, True]},
        "exp": {"exp": [NOW, "never"]},
        "nbf": {"nbf": [NOW + 11, None]},
    }
    by_claim = {
        reason: {f"{name} {value!r}": _given(proof(**{name: value})) for name, values in it.items() for value in values}
        for reason, it in claims.items()
    }
    return {
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
        "alg": _by_other_algorithms(),
        "crit": {"an extension": _given(proof({"crit": ["exp"]}))},
        "jwk": {"its private part": _given(proof(private)), **_by_unusable_keys()},
        "thumbprint": {"another key": _given(kid="ec"), "another form": _given(thumbprint="")},
        "signature": _with_other_signatures(),
        **by_claim,
        "htu": {
            **by_claim["htu"],
            "a request at no URL": _given(proof(htu="https://bea@api.example/"), url="https://bea@api.example/"),
        },
    }


# The target of the request is URL, or where it is not a URL at all, none.
_OTHER_TARGETS: Final[list[Any]] = [
    *("http://api.example/", "https://api.example:8443/", "https://api.example/orders", "https://other.example/"),
    *("https://api.example.evil.example/", "https://bea@api.example/", "https://api.example\\@evil.example/", "/"),
    *("https://api.example//", "https://api.example/.", "", "https://api.example/\n", None, [URL]),
]


def _by_other_algorithms() -> dict[str, dict[str, Any]]:
    header = {"typ": "dpop+jwt", "jwk": _public("ed")}
    claims = proof().split(".")[1]
    return {
        "none": _given(f"{segment({**header, 'alg': 'none'})}.{claims}.AA"),
        "HS256 with the public key": _given(jwt_by_secret({**header, "alg": "HS256"}, _CLAIMS, public_pem("one"))),
        "RS256, which is not offered": _given(proof(kid="one", alg="RS256"), kid="one"),
        "not that of the key": _given(jwt({**header, "alg": "ES256"}, _CLAIMS)),
    }


def _by_unusable_keys() -> dict[str, dict[str, Any]]:
    point = without(_public("ec"), "kid")
    unusable = {
        "none": None,
        "a list": [_public("ed")],
        "symmetric": {"kty": "oct", "k": "c2VjcmV0"},
        "on another curve": {**point, "crv": "P-384"},
        "off its curve": {**point, "y": base64url(bytes(32))},
        "for encryption": {**_public("ed"), "use": "enc"},
        "a name": "one",
    }
    return {name: _given(proof({"jwk": jwk})) for name, jwk in unusable.items()}


def _with_other_signatures() -> dict[str, dict[str, Any]]:
    header, claims, signature = proof().split(".")
    octets = bytearray(urlsafe_b64decode(signature + "=="))
    octets[0] ^= 1
    return {
        "one bit": _given(f"{header}.{claims}.{base64url(bytes(octets))}"),
        "other claims": _given(f"{header}.{segment({**_CLAIMS, 'jti': 'p2'})}.{signature}"),
        "by another key": _given(jwt({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": _public("ed")}, _CLAIMS, "one")),
    }
