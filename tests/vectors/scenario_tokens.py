"""Tokens that scenarios and other vectors name."""

from typing import Any, Final

from vectors.access_tokens import AUDIENCE, ISSUER, LIST, NOW
from vectors.id_tokens import id_token, logout_token
from vectors.signing import jwt
from vectors.status_lists import LIST_CLAIMS, LIST_HEADER, deflated

_CLAIMS: Final = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u_1", "client_id": "web", "jti": "j", "iat": NOW}
_OTHER_ORIGINS: Final = (
    "https://evil.example/status/0",
    "http://as.example/status/0",
    "https://as.example:8443/0",
    "file:///etc/passwd",
    "0",
)


# The status of index 0, seconds from now until its issue, and its ttl.
_LISTS: Final = (
    *((0, since, 2) for since in (-290, -5, 0, 7, 3600)),
    *((1, 0, 2), (1, 2, 2), (0, 0, 10), (0, 0, None)),
)


def tokens() -> dict[str, str]:
    """Return the tokens by name."""
    return {
        "good": _token(),
        "another": _token(jti="another"),
        "long": _token(exp=NOW + 90_000),
        "by an unpublished key": _token("other"),
        "by ed, listed 4": _token("ed", "EdDSA", status=_status(4)),
        **{f"listed {idx}": _token(status=_status(idx)) for idx in (3, 4, 16)},
        **{f"listed at {url}": _token(status=_status(3, url)) for url in _OTHER_ORIGINS},
        "list: all valid": _list(bytes(2)),
        "list: 3 revoked": _list(bytes([1 << 3, 0])),
        **{
            f"list: status {status}, iat {since}, ttl {ttl}": _first_of_eight(status, since, ttl)
            for status, since, ttl in _LISTS
        },
        "list by an unknown key": jwt({**LIST_HEADER, "kid": "new"}, {}),
        "id token": id_token(),
        "logout token": logout_token(),
        "8193 characters": "x" * 8193,
    }


def _token(kid: str = "one", alg: str = "RS256", **claims: Any) -> str:
    return jwt({"alg": alg, "typ": "at+jwt", "kid": kid}, {**_CLAIMS, "exp": NOW + 600, **claims}, kid, alg)


def _status(idx: int, uri: str = LIST) -> dict[str, Any]:
    return {"status_list": {"idx": idx, "uri": uri}}


def _list(statuses: bytes) -> str:
    return jwt(LIST_HEADER, {**LIST_CLAIMS, "status_list": {"bits": 1, "lst": deflated(statuses)}})


def _first_of_eight(status: int, since: int, ttl: int | None) -> str:
    status_list = {"bits": 1, "lst": deflated(bytes([status]))}
    claims = {"iss": ISSUER, "sub": LIST, "iat": NOW + since, "exp": NOW + since + 300, "status_list": status_list}
    return jwt(LIST_HEADER, claims | ({} if ttl is None else {"ttl": ttl}))
