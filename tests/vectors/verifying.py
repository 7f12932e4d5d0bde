"""Access tokens, good and hostile (RFC 9068, RFC 8725, RFC 7515), and answers about them (RFC 7662)."""

import json
from base64 import urlsafe_b64decode
from typing import Any, Final

from vectors.asking import answer
from vectors.caching import nested
from vectors.signing import base64url, jwt, jwt_by_secret, keys, public_pem, segment

ISSUER: Final = "https://as.example/tenant"
AUDIENCE: Final = "https://api.example"
NOW: Final = 1_800_000_000
LIST: Final = "https://as.example/status/0"
_HEADER: Final = {"alg": "RS256", "typ": "at+jwt", "kid": "one"}
_CLAIMS: Final = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "u_1",
    "client_id": "web",
    "jti": "j1",
    "iat": NOW - 10,
    "exp": NOW + 590,
    "scope": "read write",
}
_FACTS: Final = {
    "subject": "u_1",
    "client_id": "web",
    "scope": ["read", "write"],
    "roles": [],
    "expires_at": NOW + 590,
    "status": None,
}
_STATUS_LIST_TOKEN: Final = jwt({"alg": "RS256", "typ": "statuslist+jwt", "kid": "one"}, {"iss": ISSUER})


def vectors() -> dict[str, list[dict[str, Any]]]:
    return {
        "access_tokens": _access_tokens(),
        "introspection_answers": _introspection_answers(),
    }


def without(members: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name not in names}


def _token(header: dict[str, Any] | None = None, **claims: Any) -> str:
    return jwt({**_HEADER, **(header or {})}, {**_CLAIMS, **claims})


def _access_tokens() -> list[dict[str, Any]]:
    rows: list[tuple[str, str, dict[str, Any]]] = [*_good_tokens(), *_bad_headers(), *_bad_keys(), *_bad_claims()]
    return [
        {
            "name": name,
            "given": {"token": token, "now": NOW},
            "expect": {"reason": expect["reason"]} if "reason" in expect else {**_FACTS, **expect},
        }
        for name, token, expect in rows
    ]


def _good_tokens() -> list[tuple[str, str, dict[str, Any]]]:
    status = {"status_list": {"idx": 7, "uri": LIST}}
    return [
        ("good", _token(), {}),
        ("a type in full, in capitals", _token({"typ": "application/AT+JWT"}), {}),
        ("one audience of several", _token(aud=["https://other.example", AUDIENCE]), {}),
        ("roles", _token(roles=["editor", "admin"]), {"roles": ["editor", "admin"]}),
        ("no scope", jwt(_HEADER, without(_CLAIMS, "scope")), {"scope": []}),
        ("scope with spaces too many", _token(scope=" read  write "), {}),
        ("a status", _token(status=status), {"status": {"uri": LIST, "idx": 7}}),
        ("a status of another kind", _token(status={"other": {}}), {}),
        ("a second left", _token(exp=NOW + 1), {"expires_at": NOW + 1}),
        ("a fraction left", _token(exp=NOW + 0.5), {"expires_at": NOW + 0.5}),
        ("begun just now", _token(nbf=NOW), {}),
        ("a beginning within the skew", _token(nbf=NOW + 5), {}),
        (
            "addresses of keys that nobody asks",
            _token({"jku": "https://evil.example/jwks", "x5u": "https://evil.example"}),
            {},
        ),
        ("a member that nobody knows", _token({"https://example.com/x": 1}), {}),
        ("by PS256", jwt({**_HEADER, "alg": "PS256", "kid": "ps"}, _CLAIMS, "ps", "PS256"), {}),
        ("by ES256", jwt({**_HEADER, "alg": "ES256", "kid": "ec"}, _CLAIMS, "ec", "ES256"), {}),
        ("by EdDSA", jwt({**_HEADER, "alg": "EdDSA", "kid": "ed"}, _CLAIMS, "ed", "EdDSA"), {}),
    ]


def respelled(token: str) -> str:
    """The same token to who overlooks the bits that the last character has too many (RFC 4648 section 3.5)."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


def _bad_headers() -> list[tuple[str, str, dict[str, Any]]]:
    def because(reason: str) -> dict[str, Any]:
        return {"reason": reason}

    header, claims, signature = _token().split(".")
    by_ec, by_ed = (
        jwt({**_HEADER, "alg": alg, "kid": kid}, _CLAIMS, kid, alg) for kid, alg in (("ec", "ES256"), ("ed", "EdDSA"))
    )
    twice = '{"alg":"RS256","typ":"at+jwt","kid":"one","kid":"one"}'
    return [
        ("empty", "", because("malformed")),
        ("no JWT", "no.jwt.at.all", because("malformed")),
        ("opaque", "jrt_abc", because("malformed")),
        ("an encrypted one", f"{header}.e.i.c.t", because("malformed")),
        ("padded", f"{header}.{claims}.{signature}==", because("malformed")),
        ("a signature of RS256 in another spelling", respelled(_token()), because("malformed")),
        ("a signature of ES256 in another spelling", respelled(by_ec), because("malformed")),
        ("a signature of EdDSA in another spelling", respelled(by_ed), because("malformed")),
        ("a line break at its end", f"{_token()}\n", because("malformed")),
        ("ordinary base64", f"{header}.{claims}.{signature[:-1]}+", because("malformed")),
        ("a length that base64 does not have", f"{header}.{claims}.AAAAA", because("malformed")),
        ("no signature", f"{header}.{claims}.", because("malformed")),
        ("too long", jwt(_HEADER, {**_CLAIMS, "padding": "x" * 8192}), because("malformed")),
        ("a header that is no object", f"{segment('[]')}.{claims}.{signature}", because("malformed")),
        ("a header that is too deep", jwt(nested(65), _CLAIMS), because("malformed")),
        ("claims that are too deep", jwt(_HEADER, nested(65)), because("malformed")),
        ("a prototype in the header", jwt({"__proto__": _HEADER}, _CLAIMS), because("typ")),
        ("a prototype in the claims", jwt(_HEADER, {"__proto__": _CLAIMS}), because("iss")),
        (
            "claims with a name that comes twice",
            jwt(_HEADER, json.dumps(_CLAIMS)[:-1] + ',"exp":1}'),
            because("malformed"),
        ),
        ("a header of many brackets", f"{base64url(b'[' * 6000)}.{claims}.{signature}", because("malformed")),
        ("a header that is not UTF-8", f"{base64url(bytes([0xFF]))}.{claims}.{signature}", because("malformed")),
        ("a header with a name that comes twice", jwt(twice, _CLAIMS), because("malformed")),
        ("a header with NaN", jwt('{"alg":"RS256","typ":"at+jwt","kid":"one","x":NaN}', _CLAIMS), because("malformed")),
        ("an ID token", _token({"typ": "JWT"}), because("typ")),
        ("no type", jwt(without(_HEADER, "typ"), _CLAIMS), because("typ")),
        ("a status list", _STATUS_LIST_TOKEN, because("typ")),
        ("a type that is a list", _token({"typ": ["at+jwt"]}), because("typ")),
        ("alg none", f"{segment({**_HEADER, 'alg': 'none'})}.{claims}.AA", because("alg")),
        ("alg None", f"{segment({**_HEADER, 'alg': 'NoNe'})}.{claims}.AA", because("alg")),
        (
            "alg HS256, by the public key",
            jwt_by_secret({**_HEADER, "alg": "HS256"}, _CLAIMS, public_pem("one")),
            because("alg"),
        ),
        ("alg RS1", f"{segment({**_HEADER, 'alg': 'RS1'})}.{claims}.{signature}", because("alg")),
        ("alg that is a list", f"{segment({**_HEADER, 'alg': ['RS256']})}.{claims}.{signature}", because("alg")),
        ("no alg", jwt(without(_HEADER, "alg"), _CLAIMS), because("alg")),
        ("something critical", _token({"crit": ["exp"], "exp": 1}), because("crit")),
        ("nothing critical, and said so", _token({"crit": []}), because("crit")),
        ("an unencoded payload", _token({"crit": ["b64"], "b64": False}), because("crit")),
        ("no kid", jwt(without(_HEADER, "kid"), _CLAIMS), because("kid")),
        ("a kid that is a number", _token({"kid": 1}), because("kid")),
        ("a kid that is null", _token({"kid": None}), because("kid")),
        ("an empty kid", _token({"kid": ""}), because("kid")),
    ]


def _bad_keys() -> list[tuple[str, str, dict[str, Any]]]:
    header, claims, signature = _token().split(".")
    octets = bytearray(urlsafe_b64decode(signature + "=="))
    octets[100] ^= 1
    embedded = {**_HEADER, "jwk": keys()["other"].as_dict(private=False)}
    pointed = {**_HEADER, "kid": "other", "jku": "https://evil.example/jwks"}
    return [
        ("a kid of nobody", _token({"kid": "nobody"}), {"reason": "unknown_key"}),
        ("a kid that is a path", _token({"kid": "../../one"}), {"reason": "unknown_key"}),
        ("a kid that every object has", _token({"kid": "__proto__"}), {"reason": "unknown_key"}),
        ("a key that the token names an address for", jwt(pointed, _CLAIMS, "other"), {"reason": "unknown_key"}),
        ("a key that the token brings along", jwt(embedded, _CLAIMS, "other"), {"reason": "signature"}),
        (
            "another algorithm than the key's",
            jwt({**_HEADER, "alg": "PS256"}, _CLAIMS, "one", "PS256"),
            {"reason": "alg"},
        ),
        ("an algorithm for another kind of key", _token({"alg": "ES256"}), {"reason": "alg"}),
        ("another key", jwt(_HEADER, _CLAIMS, "other"), {"reason": "signature"}),
        ("one bit of the signature", f"{header}.{claims}.{base64url(bytes(octets))}", {"reason": "signature"}),
        ("a short signature", f"{header}.{claims}.AAAA", {"reason": "signature"}),
        ("other claims", f"{header}.{segment({**_CLAIMS, 'sub': 'u_2'})}.{signature}", {"reason": "signature"}),
        ("another header", f"{segment({**_HEADER, 'x': 1})}.{claims}.{signature}", {"reason": "signature"}),
    ]


def _bad_claims() -> list[tuple[str, str, dict[str, Any]]]:
    written = segment(_CLAIMS)
    text = urlsafe_b64decode(written + "=" * (-len(written) % 4)).decode()
    missing = [
        (f"no {name}", jwt(_HEADER, without(_CLAIMS, name)), {"reason": reason}) for name, reason in _REQUIRED.items()
    ]
    wrong = [(f"{name}: {value!r}", _token(**{name: value}), {"reason": reason}) for name, value, reason in _WRONG]
    return [
        *missing,
        *wrong,
        ("claims that are no object", jwt(_HEADER, "[]"), {"reason": "malformed"}),
        ("claims that are no JSON", jwt(_HEADER, "{"), {"reason": "malformed"}),
        ("a claim that comes twice", jwt(_HEADER, text[:-1] + ',"sub":"u_2"}'), {"reason": "malformed"}),
        ("a claim within that comes twice", jwt(_HEADER, text[:-1] + ',"x":{"a":1,"a":2}}'), {"reason": "malformed"}),
        ("an expiry of infinity", jwt(_HEADER, text.replace(str(NOW + 590), "Infinity")), {"reason": "malformed"}),
        ("an expiry beyond all numbers", jwt(_HEADER, text.replace(str(NOW + 590), "1e400")), {"reason": "exp"}),
        ("an expiry with twenty digits", jwt(_HEADER, text.replace(str(NOW + 590), "9" * 20)), {"reason": "exp"}),
    ]


_REQUIRED: Final = {
    "iss": "iss",
    "aud": "aud",
    "exp": "exp",
    "sub": "claims",
    "client_id": "claims",
    "iat": "claims",
    "jti": "claims",
}
_WRONG: Final[list[tuple[str, Any, str]]] = [
    ("iss", "https://as.example", "iss"),
    ("iss", ISSUER + "/", "iss"),
    ("iss", ISSUER.upper(), "iss"),
    ("iss", [ISSUER], "iss"),
    ("aud", "https://other.example", "aud"),
    ("aud", AUDIENCE + "/", "aud"),
    ("aud", [], "aud"),
    ("aud", ["https://other.example"], "aud"),
    ("aud", {AUDIENCE: True}, "aud"),
    ("exp", NOW, "exp"),
    ("exp", NOW - 1, "exp"),
    ("exp", NOW - 0.5, "exp"),
    ("exp", str(NOW + 590), "exp"),
    ("exp", True, "exp"),
    ("exp", None, "exp"),
    ("nbf", NOW + 6, "nbf"),
    ("nbf", str(NOW - 10), "nbf"),
    ("nbf", None, "nbf"),
    ("iat", str(NOW), "claims"),
    ("sub", "", "claims"),
    ("sub", 7, "claims"),
    ("client_id", None, "claims"),
    ("jti", 1, "claims"),
    ("scope", ["read"], "claims"),
    ("scope", None, "claims"),
    ("roles", "editor", "claims"),
    ("roles", [1], "claims"),
    ("status", "revoked", "claims"),
    ("status", {"status_list": "0"}, "claims"),
    ("status", {"status_list": {"idx": "7", "uri": LIST}}, "claims"),
    ("status", {"status_list": {"idx": -1, "uri": LIST}}, "claims"),
    ("status", {"status_list": {"idx": 0.5, "uri": LIST}}, "claims"),
    ("status", {"status_list": {"idx": 7}}, "claims"),
]


def _introspection_answers() -> list[dict[str, Any]]:
    members = {
        "active": True,
        "token_type": "Bearer",
        "aud": AUDIENCE,
        "sub": "u_1",
        "client_id": "web",
        "scope": "read write",
        "exp": NOW + 590,
    }
    active = json.dumps(members)

    def told(**more: Any) -> dict[str, Any]:
        return answer(200, json.dumps({**members, **more}))

    def untold(*names: str) -> dict[str, Any]:
        return answer(200, json.dumps(without(members, *names)))

    refresh_token = {"token_type": "N_A", "issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}
    rows: list[tuple[str, dict[str, Any] | None, dict[str, Any]]] = [
        ("active", told(), {}),
        ("issuer and one audience of several", told(iss=ISSUER, aud=["https://other.example", AUDIENCE]), {}),
        ("a type in small letters", told(token_type="bearer"), {}),
        ("a token that is bound to a key", told(token_type="DPoP", cnf={"jkt": "x"}), {}),
        ("roles", told(roles=["editor"]), {"roles": ["editor"]}),
        ("no subject", untold("sub"), {"subject": "web"}),
        ("no client and no scope", untold("client_id", "scope"), {"client_id": "", "scope": []}),
        ("no expiry", untold("exp"), {"expires_at": None}),
        ("issued by a clock that is ahead", told(iat=NOW + 60), {}),
        ("inactive", answer(200, '{"active":false}'), {"reason": "inactive"}),
        ("inactive, with more", told(active=False), {"reason": "inactive"}),
        ("a refresh token", answer(200, json.dumps(without(members, "aud") | refresh_token)), {"reason": "token_type"}),
        ("a refresh token for this audience", told(**refresh_token), {"reason": "token_type"}),
        ("a refresh token by its name", told(token_type="refresh_token"), {"reason": "token_type"}),
        ("a refresh token of a server that does not say so", untold("aud", "token_type"), {"reason": "token_type"}),
        ("no type", untold("token_type"), {"reason": "token_type"}),
        ("a type that is null", told(token_type=None), {"reason": "token_type"}),
        ("a type that is a list", told(token_type=["Bearer"]), {"reason": "token_type"}),
        ("another type", told(token_type="mac"), {"reason": "token_type"}),
        ("another issuer", told(iss="https://evil.example"), {"reason": "iss"}),
        ("an issuer that is null", told(iss=None), {"reason": "iss"}),
        ("another audience", told(aud="https://other.example"), {"reason": "aud"}),
        ("a part of the audience", told(aud=f"{AUDIENCE}/orders"), {"reason": "aud"}),
        ("no audience", untold("aud"), {"reason": "aud"}),
        ("an audience that is null", told(aud=None), {"reason": "aud"}),
        ("an empty list of audiences", told(aud=[]), {"reason": "aud"}),
        ("audiences in an object", told(aud={AUDIENCE: True}), {"reason": "aud"}),
        ("expired", told(exp=NOW), {"reason": "exp"}),
        ("an expiry as text", told(exp="never"), {"reason": "exp"}),
        ("an expiry that is null", told(exp=None), {"reason": "exp"}),
        ("not yet", told(nbf=NOW + 6), {"reason": "nbf"}),
        ("a beginning as text", told(nbf=str(NOW)), {"reason": "nbf"}),
        ("nobody", untold("sub", "client_id"), {"reason": "claims"}),
        ("a subject that is a number", told(sub=7), {"reason": "claims"}),
        ("a client that is a list", told(client_id=["web"]), {"reason": "claims"}),
        ("a scope that is a list", told(scope=["read"]), {"reason": "claims"}),
        ("an issue as text", told(iat=str(NOW)), {"reason": "claims"}),
        ("members of a prototype", answer(200, f'{{"__proto__":{active}}}'), {"unverifiable": True}),
        ("active, as text", told(active="true"), {"unverifiable": True}),
        ("active, as a number", told(active=1), {"unverifiable": True}),
        ("active comes twice", answer(200, active[:-1] + ',"active":true}'), {"unverifiable": True}),
        ("not JSON", answer(200, "<html>"), {"unverifiable": True}),
        ("we are refused", answer(401, '{"error":"invalid_client"}'), {"unverifiable": True}),
        ("503", answer(503, ""), {"unverifiable": True}),
        ("lost", None, {"unverifiable": True}),
    ]
    return [
        {
            "name": name,
            "given": {"answer": it, "now": NOW},
            "expect": expect if expect.keys() & {"reason", "unverifiable"} else {**_FACTS, **expect},
        }
        for name, it, expect in rows
    ]
