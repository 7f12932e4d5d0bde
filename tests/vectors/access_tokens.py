"""Access tokens, valid and hostile (RFC 9068, RFC 8725, RFC 7515)."""

import json
from base64 import urlsafe_b64decode
from typing import Any, Final

from vectors.signing import (
    base64url,
    jwt,
    jwt_by_secret,
    keys,
    nested,
    public_pem,
    rejected_tokens,
    respelled,
    segment,
    without,
)

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
    return valid + rejected_tokens([*_INVALID.items(), *_with_other_claims()])


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


_HEAD, _BODY, _SIGNATURE = _token().split(".")
_TEXT: Final = json.dumps(_CLAIMS, separators=(",", ":"))
_ONE_BIT: Final = bytes(octet ^ (at == 100) for at, octet in enumerate(urlsafe_b64decode(_SIGNATURE + "==")))
_INVALID: Final = {
    "malformed": {
        "empty": "",
        "not a JWT": "no.jwt.at.all",
        "opaque": "jrt_abc",
        "encrypted": f"{_HEAD}.e.i.c.t",
        "padded": f"{_HEAD}.{_BODY}.{_SIGNATURE}==",
        "RS256 in another spelling": respelled(_token()),
        "ES256 in another spelling": respelled(_token_by("ec", "ES256")),
        "EdDSA in another spelling": respelled(_token_by("ed", "EdDSA")),
        "a line break at the end": f"{_token()}\n",
        "standard base64": f"{_HEAD}.{_BODY}.{_SIGNATURE[:-1]}+",
        "an impossible length": f"{_HEAD}.{_BODY}.AAAAA",
        "no signature": f"{_HEAD}.{_BODY}.",
        "too long": jwt(_HEADER, {**_CLAIMS, "padding": "x" * 8192}),
        "a header that is a list": f"{segment('[]')}.{_BODY}.{_SIGNATURE}",
        "a header that is too deep": jwt(nested(65), _CLAIMS),
        "a header of many brackets": f"{base64url(b'[' * 6000)}.{_BODY}.{_SIGNATURE}",
        "a header that is not UTF-8": f"{base64url(bytes([0xFF]))}.{_BODY}.{_SIGNATURE}",
        "a header with a duplicate name": jwt('{"alg":"RS256","typ":"at+jwt","kid":"one","kid":"one"}', _CLAIMS),
        "a header with NaN": jwt('{"alg":"RS256","typ":"at+jwt","kid":"one","x":NaN}', _CLAIMS),
        "claims that are too deep": jwt(_HEADER, nested(65)),
        "claims that are a list": jwt(_HEADER, "[]"),
        "claims that are not JSON": jwt(_HEADER, "{"),
        "claims with a duplicate expiry": jwt(_HEADER, _TEXT[:-1] + ',"exp":1}'),
        "claims with a duplicate subject": jwt(_HEADER, _TEXT[:-1] + ',"sub":"u_2"}'),
        "claims with a nested duplicate name": jwt(_HEADER, _TEXT[:-1] + ',"x":{"a":1,"a":2}}'),
        "an infinite expiry": jwt(_HEADER, _TEXT.replace(str(NOW + 590), "Infinity")),
    },
    "typ": {
        "an ID token": _token({"typ": "JWT"}),
        "no type": jwt(without(_HEADER, "typ"), _CLAIMS),
        "a status list": jwt({**_HEADER, "typ": "statuslist+jwt"}, {"iss": ISSUER}),
        "a type that is a list": _token({"typ": ["at+jwt"]}),
        "a header of a prototype": jwt({"__proto__": _HEADER}, _CLAIMS),
    },
    "alg": {
        "none": f"{segment({**_HEADER, 'alg': 'none'})}.{_BODY}.AA",
        "NoNe": f"{segment({**_HEADER, 'alg': 'NoNe'})}.{_BODY}.AA",
        "HS256 with the public key": jwt_by_secret({**_HEADER, "alg": "HS256"}, _CLAIMS, public_pem("one")),
        "RS1": f"{segment({**_HEADER, 'alg': 'RS1'})}.{_BODY}.{_SIGNATURE}",
        "a list": f"{segment({**_HEADER, 'alg': ['RS256']})}.{_BODY}.{_SIGNATURE}",
        "missing": jwt(without(_HEADER, "alg"), _CLAIMS),
        "not that of the key": jwt({**_HEADER, "alg": "PS256"}, _CLAIMS, "one", "PS256"),
        "for another type of key": _token({"alg": "ES256"}),
    },
    "crit": {
        "an unknown extension": _token({"crit": ["exp"], "exp": 1}),
        "an empty list": _token({"crit": []}),
        "an unencoded payload": _token({"crit": ["b64"], "b64": False}),
    },
    "kid": {
        "missing": jwt(without(_HEADER, "kid"), _CLAIMS),
        **{repr(kid): _token({"kid": kid}) for kid in (1, None, "")},
    },
    "unknown_key": {
        "a key at a URL of the token": jwt(
            {**_HEADER, "kid": "other", "jku": "https://evil.example/jwks"}, _CLAIMS, "other"
        ),
        **{kid: _token({"kid": kid}) for kid in ("unknown", "../../one", "__proto__")},
    },
    "signature": {
        "a key in the token": jwt({**_HEADER, "jwk": keys()["other"].as_dict(private=False)}, _CLAIMS, "other"),
        "another key": jwt(_HEADER, _CLAIMS, "other"),
        "one bit": f"{_HEAD}.{_BODY}.{base64url(_ONE_BIT)}",
        "too short": f"{_HEAD}.{_BODY}.AAAA",
        "other claims": f"{_HEAD}.{segment({**_CLAIMS, 'sub': 'u_2'})}.{_SIGNATURE}",
        "another header": f"{segment({**_HEADER, 'x': 1})}.{_BODY}.{_SIGNATURE}",
    },
}


def _with_other_claims() -> list[tuple[str, dict[str, str]]]:
    numbers = {n: jwt(_HEADER, _TEXT.replace(str(NOW + 590), n)) for n in ("1e400", "9" * 20)}
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
