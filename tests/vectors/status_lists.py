"""Tokens that carry status lists (draft-ietf-oauth-status-list-21)."""

import zlib
from typing import Any, Final

from vectors.access_tokens import ISSUER, LIST, NOW
from vectors.signing import base64url, jwt, segment, without

_ONE_BIT: Final = {"bits": 1, "lst": "eNrbuRgAAhcBXQ"}  # section 4.1: 16 statuses
LIST_HEADER: Final = {"alg": "RS256", "typ": "statuslist+jwt", "kid": "one"}
LIST_CLAIMS: Final = {"iss": ISSUER, "sub": LIST, "iat": NOW, "exp": NOW + 300, "ttl": 2, "status_list": _ONE_BIT}


def deflated(octets: bytes) -> str:
    return base64url(zlib.compress(octets, 9))


def status_list_tokens() -> list[dict[str, Any]]:
    """Return the cases: a token and its `ttl`, or the reason of its rejection."""

    def token(**claims: Any) -> str:
        return jwt(LIST_HEADER, {**LIST_CLAIMS, **claims})

    def lacking(name: str) -> str:
        return jwt(LIST_HEADER, without(LIST_CLAIMS, name))

    truncated = {"bits": 1, "lst": "eNrbuRgAAhc"}
    unsigned = f"{segment({**LIST_HEADER, 'alg': 'none'})}.{segment(LIST_CLAIMS)}.AA"
    rows: list[tuple[str, str, dict[str, Any]]] = [
        ("valid", token(), {"ttl": 2}),
        ("the full type", jwt({**LIST_HEADER, "typ": "application/statuslist+jwt"}, LIST_CLAIMS), {"ttl": 2}),
        ("no issuer", lacking("iss"), {"ttl": 2}),
        ("no expiry", lacking("exp"), {"ttl": 2}),
        ("no ttl", lacking("ttl"), {"ttl": None}),
        ("a ttl of half a second", token(ttl=0.5), {"ttl": 0.5}),
        ("an access token", jwt({**LIST_HEADER, "typ": "at+jwt"}, LIST_CLAIMS), {"reason": "typ"}),
        ("another key", jwt(LIST_HEADER, LIST_CLAIMS, "other"), {"reason": "signature"}),
        ("no algorithm", unsigned, {"reason": "alg"}),
        ("another issuer", token(iss="https://evil.example"), {"reason": "iss"}),
        ("another URL", token(sub=LIST + "0"), {"reason": "sub"}),
        ("no URL", lacking("sub"), {"reason": "sub"}),
        ("expired", token(exp=NOW), {"reason": "exp"}),
        ("an expiry that is a string", token(exp=str(NOW + 300)), {"reason": "exp"}),
        ("no time of issue", lacking("iat"), {"reason": "claims"}),
        ("a ttl of zero", token(ttl=0), {"reason": "claims"}),
        ("a ttl that is a string", token(ttl="2"), {"reason": "claims"}),
        ("no list", lacking("status_list"), {"reason": "claims"}),
        ("a truncated list", token(status_list=truncated), {"reason": "claims"}),
    ]
    return [{"name": name, "token": text, **_expected(**expect)} for name, text, expect in rows]


def _expected(reason: str | None = None, ttl: float | None = None) -> dict[str, Any]:
    if reason is not None:
        return {"raises": {"name": "InvalidTokenError", "reason": reason}}
    return {"returns": {"issued_at": NOW, "ttl": ttl, "statuses": [1, 0, 0, 1]}}
