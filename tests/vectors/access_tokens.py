"""Access tokens, valid and hostile (RFC 9068, RFC 8725, RFC 7515)."""

import json
from base64 import urlsafe_b64decode
from typing import Any, Final

from vectors.signing import base64url, jwt, jwt_by_secret, keys, nested, public_pem, respelled, segment, without

ISSUER: Final = "https://as.example/tenant"
AUDIENCE: Final = "https://api.example"
NOW: Final = 1_800_000_000
LIST: Final = "https://as.example/status/0"
_HEADER: Final = {"alg": "RS256", "typ": "at+jwt", "kid": "one"}
_REST: Final = {"iat": NOW - 10, "exp": NOW + 590, "scope": "read write"}
_CLAIMS: Final = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u_1", "client_id": "web", "jti": "j1"} | _REST


def access_tokens() -> list[dict[str, Any]]:
    """Return the cases: a token, and values that it has, or the reason of its rejection."""
    valid = [{"name": name, "token": token, "returns": returns} for name, token, returns in _valid()]
    invalid = [("malformed", _malformed()), ("typ", _of_another_type()), ("alg", _of_another_algorithm())]
    invalid += [("crit", _critical()), ("kid", _without_kid()), ("unknown_key", _by_unknown_keys())]
    invalid += [("signature", _with_other_signatures()), *_with_other_claims()]
    return valid + [
        {"name": f"{reason}: {name}", "token": token, "raises": {"name": "InvalidTokenError", "reason": reason}}
        for reason, tokens in invalid
        for name, token in tokens.items()
    ]


def _token(header: dict[str, Any] | None = None, **claims: Any) -> str:
    return jwt({**_HEADER, **(header or {})}, {**_CLAIMS, **claims})


def _token_by(kid: str, alg: str) -> str:
    return jwt({**_HEADER, "alg": alg, "kid": kid}, _CLAIMS, kid, alg)


def _valid() -> list[tuple[str, str, dict[str, Any]]]:
    status = {"status_list": {"idx": 7, "uri": LIST}}
    facts = {"subject": "u_1", "client_id": "web", "scope": ["read", "write"], "roles": [], "status": None}
    foreign_keys = {"jku": "https://evil.example/jwks", "x5u": "https://evil.example"}
    return [
        ("valid", _token(), facts),
        ("the full type, in capitals", _token({"typ": "application/AT+JWT"}), {}),
        ("one audience of several", _token(aud=["https://other.example", AUDIENCE]), {}),
        ("the audience with the slash of the root", _token(aud=AUDIENCE + "/"), {}),
        ("roles", _token(roles=["editor", "admin"]), {"roles": ["editor", "admin"]}),
        ("no scope", jwt(_HEADER, without(_CLAIMS, "scope")), {"scope": []}),
        ("scope with extra spaces", _token(scope=" read  write "), {"scope": ["read", "write"]}),
        ("a status", _token(status=status), {"status": {"uri": LIST, "idx": 7}}),
        ("another status mechanism", _token(status={"other": {}}), {"status": None}),
        ("a status that is null", _token(status=None), {}),
        ("a second left", _token(exp=NOW + 1), {"expires_at": NOW + 1}),
        ("a fraction of a second left", _token(exp=NOW + 0.5), {"expires_at": NOW + 0.5}),
        ("the largest expiry", _token(exp=2**53 - 1), {"expires_at": 2**53 - 1}),
        ("valid from now on", _token(nbf=NOW), {}),
        ("valid within the skew", _token(nbf=NOW + 5), {}),
        ("URLs of foreign keys", _token(foreign_keys), {}),
        ("an unknown header member", _token({"https://example.com/x": 1}), {}),
        ("PS256", _token_by("ps", "PS256"), {}),
        ("ES256", _token_by("ec", "ES256"), {}),
        ("EdDSA", _token_by("ed", "EdDSA"), {}),
    ]


def _malformed() -> dict[str, str]:
    header, claims, signature = _token().split(".")
    text = json.dumps(_CLAIMS, separators=(",", ":"))
    return {
        "empty": "",
        "not a JWT": "no.jwt.at.all",
        "opaque": "jrt_abc",
        "encrypted": f"{header}.e.i.c.t",
        "padded": f"{header}.{claims}.{signature}==",
        "RS256 in another spelling": respelled(_token()),
        "ES256 in another spelling": respelled(_token_by("ec", "ES256")),
        "EdDSA in another spelling": respelled(_token_by("ed", "EdDSA")),
        "a line break at the end": f"{_token()}\n",
        "standard base64": f"{header}.{claims}.{signature[:-1]}+",
        "an impossible length": f"{header}.{claims}.AAAAA",
        "no signature": f"{header}.{claims}.",
        "too long": jwt(_HEADER, {**_CLAIMS, "padding": "x" * 8192}),
        "a header that is a list": f"{segment('[]')}.{claims}.{signature}",
        "a header that is too deep": jwt(nested(65), _CLAIMS),
        "a header of many brackets": f"{base64url(b'[' * 6000)}.{claims}.{signature}",
        "a header that is not UTF-8": f"{base64url(bytes([0xFF]))}.{claims}.{signature}",
        "a header with a duplicate name": jwt('{"alg":"RS256","typ":"at+jwt","kid":"one","kid":"one"}', _CLAIMS),
        "a header with NaN": jwt('{"alg":"RS256","typ":"at+jwt","kid":"one","x":NaN}', _CLAIMS),
        "claims that are too deep": jwt(_HEADER, nested(65)),
        "claims that are a list": jwt(_HEADER, "[]"),
        "claims that are not JSON": jwt(_HEADER, "{"),
        "claims with a duplicate expiry": jwt(_HEADER, text[:-1] + ',"exp":1}'),
        "claims with a duplicate subject": jwt(_HEADER, text[:-1] + ',"sub":"u_2"}'),
        "claims with a nested duplicate name": jwt(_HEADER, text[:-1] + ',"x":{"a":1,"a":2}}'),
        "an infinite expiry": jwt(_HEADER, text.replace(str(NOW + 590), "Infinity")),
    }


def _of_another_type() -> dict[str, str]:
    return {
        "an ID token": _token({"typ": "JWT"}),
        "no type": jwt(without(_HEADER, "typ"), _CLAIMS),
        "a status list": jwt({**_HEADER, "typ": "statuslist+jwt"}, {"iss": ISSUER}),
        "a type that is a list": _token({"typ": ["at+jwt"]}),
        "a header of a prototype": jwt({"__proto__": _HEADER}, _CLAIMS),
    }


def _of_another_algorithm() -> dict[str, str]:
    _, claims, signature = _token().split(".")
    return {
        "none": f"{segment({**_HEADER, 'alg': 'none'})}.{claims}.AA",
        "NoNe": f"{segment({**_HEADER, 'alg': 'NoNe'})}.{claims}.AA",
        "HS256 with the public key": jwt_by_secret({**_HEADER, "alg": "HS256"}, _CLAIMS, public_pem("one")),
        "RS1": f"{segment({**_HEADER, 'alg': 'RS1'})}.{claims}.{signature}",
        "a list": f"{segment({**_HEADER, 'alg': ['RS256']})}.{claims}.{signature}",
        "missing": jwt(without(_HEADER, "alg"), _CLAIMS),
        "not that of the key": jwt({**_HEADER, "alg": "PS256"}, _CLAIMS, "one", "PS256"),
        "for another type of key": _token({"alg": "ES256"}),
    }


def _critical() -> dict[str, str]:
    return {
        "an unknown extension": _token({"crit": ["exp"], "exp": 1}),
        "an empty list": _token({"crit": []}),
        "an unencoded payload": _token({"crit": ["b64"], "b64": False}),
    }


def _without_kid() -> dict[str, str]:
    odd = {repr(kid): _token({"kid": kid}) for kid in (1, None, "")}
    return {"missing": jwt(without(_HEADER, "kid"), _CLAIMS), **odd}


def _by_unknown_keys() -> dict[str, str]:
    pointed = {**_HEADER, "kid": "other", "jku": "https://evil.example/jwks"}
    kids = {kid: _token({"kid": kid}) for kid in ("unknown", "../../one", "__proto__")}
    return {"a key at a URL of the token": jwt(pointed, _CLAIMS, "other"), **kids}


def _with_other_signatures() -> dict[str, str]:
    header, claims, signature = _token().split(".")
    octets = bytearray(urlsafe_b64decode(signature + "=="))
    octets[100] ^= 1
    embedded = {**_HEADER, "jwk": keys()["other"].as_dict(private=False)}
    return {
        "a key in the token": jwt(embedded, _CLAIMS, "other"),
        "another key": jwt(_HEADER, _CLAIMS, "other"),
        "one bit": f"{header}.{claims}.{base64url(bytes(octets))}",
        "too short": f"{header}.{claims}.AAAA",
        "other claims": f"{header}.{segment({**_CLAIMS, 'sub': 'u_2'})}.{signature}",
        "another header": f"{segment({**_HEADER, 'x': 1})}.{claims}.{signature}",
    }


def _with_other_claims() -> list[tuple[str, dict[str, str]]]:
    text = json.dumps(_CLAIMS, separators=(",", ":"))
    numbers = {n: jwt(_HEADER, text.replace(str(NOW + 590), n)) for n in ("1e400", "9" * 20)}
    prototype = {"claims of a prototype": jwt(_HEADER, {"__proto__": _CLAIMS})}
    missing = [
        (reason, {f"no {name}": jwt(_HEADER, without(_CLAIMS, name))})
        for reason, names in _REQUIRED.items()
        for name in names
    ]
    wrong = [
        (name if name in _REQUIRED or name == "nbf" else "claims", {f"{name}: {value!r}": _token(**{name: value})})
        for name, values in _WRONG.items()
        for value in values
    ]
    return [*missing, *wrong, ("exp", numbers), ("iss", prototype)]


_REQUIRED: Final = {"iss": ["iss"], "aud": ["aud"], "exp": ["exp"], "claims": ["sub", "client_id", "iat", "jti"]}
_WRONG: Final[dict[str, list[Any]]] = {
    "iss": ["https://as.example", ISSUER + "/", ISSUER.upper(), [ISSUER]],
    "aud": [
        "https://other.example",
        AUDIENCE + "//",
        AUDIENCE + "/x",
        AUDIENCE.upper(),
        "https://api.example:443",
        [],
        ["https://other.example"],
        {AUDIENCE: True},
    ],
    "exp": [NOW, NOW - 1, NOW - 0.5, str(NOW + 590), True, None],
    "nbf": [NOW + 6, str(NOW - 10), None],
    "iat": [str(NOW)],
    "sub": ["", 7],
    "client_id": [None],
    "jti": [1],
    "scope": [["read"], None],
    "roles": ["editor", [1]],
    "status": [
        "revoked",
        {"status_list": "0"},
        {"status_list": {"idx": "7", "uri": LIST}},
        {"status_list": {"idx": -1, "uri": LIST}},
        {"status_list": {"idx": 0.5, "uri": LIST}},
        {"status_list": {"idx": True, "uri": LIST}},
        {"status_list": {"idx": 7}},
    ],
}
