"""ID tokens and logout tokens, valid and hostile (OpenID Connect Core 3.1.3.7, Back-Channel Logout 2.6)."""

import hashlib
from typing import Any, Final

from vectors.access_tokens import ISSUER, NOW
from vectors.signing import base64url, jwt, jwt_by_secret, public_pem, rejected_tokens, without

ACCESS_TOKEN: Final = "the-access-token"
_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_HEADER: Final = {"alg": "RS256", "typ": "JWT", "kid": "one"}
_LOGOUT_HEADER: Final = {**_HEADER, "typ": "logout+jwt"}
_TIMES: Final = {"iat": NOW - 10, "exp": NOW + 590}
_CLAIMS: Final = {"iss": ISSUER, "aud": "web", "sub": "u_1", **_TIMES, "nonce": "the-nonce"}
_LOGOUT_CLAIMS: Final = {"iss": ISSUER, "aud": "web", "sub": "u_1", "jti": "j1", **_TIMES, "events": {_EVENT: {}}}


def id_tokens() -> list[dict[str, Any]]:
    """Return the cases: a token, perhaps the `max_age` of the request, and its values, or why it is rejected."""
    return _valid() + rejected_tokens(_wrong_id_tokens().items()) + _with_max_age()


def logout_tokens() -> list[dict[str, Any]]:
    """Return the cases: a token, and values that it has, or why it is rejected."""
    facts = {"jti": "j1", "subject": "u_1", "sid": None, "expires_at": NOW + 590}
    event: dict[str, Any] = {"events": {_EVENT: {}, "https://other.example": {}}}
    only_sid = jwt(_LOGOUT_HEADER, {**without(_LOGOUT_CLAIMS, "sub"), "sid": "s1"})
    return [
        {"name": "valid", "token": logout_token(), "returns": facts},
        {"name": "a session", "token": only_sid, "returns": {"subject": None, "sid": "s1"}},
        {"name": "another event as well", "token": logout_token(**event), "returns": {"subject": "u_1"}},
        *rejected_tokens(_wrong_logout_tokens().items()),
    ]


def id_token(header: dict[str, Any] | None = None, **claims: Any) -> str:
    return jwt({**_HEADER, **(header or {})}, {**_CLAIMS, **claims})


def logout_token(header: dict[str, Any] | None = None, **claims: Any) -> str:
    return jwt({**_LOGOUT_HEADER, **(header or {})}, {**_LOGOUT_CLAIMS, **claims})


def _valid() -> list[dict[str, Any]]:
    facts = {"subject": "u_1", "expires_at": NOW + 590, "auth_time": None, "sid": None}
    hashed: dict[str, Any] = {"at_hash": _at_hash("sha256")}
    by_ed = jwt({**_HEADER, "alg": "EdDSA", "kid": "ed"}, {**_CLAIMS, "at_hash": _at_hash("sha512")}, "ed", "EdDSA")
    tokens: dict[str, tuple[str, dict[str, Any]]] = {
        "valid": (id_token(), facts),
        "no type": (jwt(without(_HEADER, "typ"), _CLAIMS), facts),
        "a list with one audience": (id_token(aud=["web"]), facts),
        "azp": (id_token(azp="web"), facts),
        "issued within the skew": (id_token(iat=NOW + 5), facts),
        "sid": (id_token(sid="s1"), {"sid": "s1"}),
        "at_hash": (id_token(**hashed), facts),
        "at_hash of EdDSA": (by_ed, facts),
    }
    return [{"name": name, "token": token, "returns": returns} for name, (token, returns) in tokens.items()]


def _with_max_age() -> list[dict[str, Any]]:
    """Return cases with a request of now: authenticated 100 seconds ago, or at an unknown time."""
    then: dict[str, Any] = {"auth_time": NOW - 100}
    cases = [
        ("recent enough", id_token(**then), 100, None),
        ("within the skew", id_token(**then), 95, None),
        ("too long ago", id_token(**then), 94, "auth_time"),
        ("a new login is required", id_token(**then), 0, "auth_time"),
        ("a new login", id_token(auth_time=NOW), 0, None),
        ("an unknown time", id_token(), 100, "auth_time"),
    ]
    return [
        {"name": f"max_age: {name}", "token": token, "max_age": max_age}
        | ({"raises": {"name": "InvalidTokenError", "reason": reason}} if reason else {"returns": {"subject": "u_1"}})
        for name, token, max_age, reason in cases
    ]


def _wrong_id_tokens() -> dict[str, dict[str, str]]:
    header, claims, signature = id_token().split(".")
    return {
        "malformed": {"not a JWT": "x", "no signature": f"{header}.{claims}."},
        "typ": {
            "an access token": id_token({"typ": "at+jwt"}),
            "a logout token": logout_token(),
            "null": id_token({"typ": None}),
        },
        "alg": {"HS256 with the public key": jwt_by_secret({**_HEADER, "alg": "HS256"}, _CLAIMS, public_pem("one"))},
        "crit": {"an unknown extension": id_token({"crit": ["x"], "x": 1})},
        "kid": {"missing": jwt(without(_HEADER, "kid"), _CLAIMS)},
        "unknown_key": {"another kid": id_token({"kid": "other"})},
        "signature": {"another key": jwt(_HEADER, _CLAIMS, "other"), "too short": f"{header}.{claims}.{signature[:8]}"},
        **_common(_HEADER, _CLAIMS),
        "nonce": {
            "missing": jwt(_HEADER, without(_CLAIMS, "nonce")),
            **{repr(nonce): id_token(nonce=nonce) for nonce in ("the-noncf", "the-nonc", "the-nonce1", "", 1, None)},
        },
        "at_hash": {
            "of another token": id_token(at_hash=_at_hash("sha256", "another")),
            "of another length": id_token(at_hash=_at_hash("sha512")),
            "null": id_token(at_hash=None),
        },
        "auth_time": {"a text": id_token(auth_time="1")},
        "claims": {
            "no sub": jwt(_HEADER, without(_CLAIMS, "sub")),
            "an empty sub": id_token(sub=""),
            "a sid that is a number": id_token(sid=1),
        },
    }


def _wrong_logout_tokens() -> dict[str, dict[str, str]]:
    neither = without(_LOGOUT_CLAIMS, "sub", "sid")
    return {
        "typ": {
            "an ID token": id_token(),
            "no type": jwt(without(_HEADER, "typ"), _LOGOUT_CLAIMS),
            "an access token": logout_token({"typ": "at+jwt"}),
        },
        "signature": {"another key": jwt(_LOGOUT_HEADER, _LOGOUT_CLAIMS, "other")},
        **_common(_LOGOUT_HEADER, _LOGOUT_CLAIMS),
        "events": {
            "missing": jwt(_LOGOUT_HEADER, without(_LOGOUT_CLAIMS, "events")),
            **{repr(it): logout_token(events=it) for it in ({}, [_EVENT], _EVENT, {_EVENT: True}, {_EVENT: None})},
        },
        "nonce": {"any": logout_token(nonce="n"), "null": logout_token(nonce=None)},
        "claims": {
            "neither sub nor sid": jwt(_LOGOUT_HEADER, neither),
            "no jti": jwt(_LOGOUT_HEADER, without(_LOGOUT_CLAIMS, "jti")),
            "an empty sub": logout_token(sub=""),
            "a sid that is a number": logout_token(sid=1),
        },
    }


def _common(header: dict[str, Any], claims: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return tokens with other issuers, audiences and times."""
    wrong: dict[str, list[Any]] = {
        "iss": ["https://as.example", ISSUER + "/", [ISSUER]],
        "aud": ["other", "", [], ["other"], ["web", "other"], ["web", "web"], {"web": True}],
        "azp": ["other", None, ["web"]],
        "exp": [NOW, NOW - 1, str(NOW + 590), None],
        "nbf": [NOW + 6],
        "iat": [NOW + 6, str(NOW), None],
    }
    missing = {name: {"missing": jwt(header, without(claims, name))} for name in ("iss", "aud", "exp", "iat")}
    return {
        name: missing.get(name, {}) | {repr(value): jwt(header, {**claims, name: value}) for value in values}
        for name, values in wrong.items()
    }


def _at_hash(name: str, access_token: str = ACCESS_TOKEN) -> str:
    digest = hashlib.new(name, access_token.encode()).digest()
    return base64url(digest[: len(digest) // 2])
