"""Status lists, the tokens that carry them, and how long they are used (draft-ietf-oauth-status-list-21)."""

import json
import zlib
from typing import Any, Final

from vectors.access_tokens import ISSUER, LIST, NOW
from vectors.signing import FOLDER, base64url, jwt, segment, without

_ONE_BIT: Final = {"bits": 1, "lst": "eNrbuRgAAhcBXQ"}  # section 4.1: 16 statuses
_ONE_BIT_STATUSES: Final = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
LIST_HEADER: Final = {"alg": "RS256", "typ": "statuslist+jwt", "kid": "one"}
LIST_CLAIMS: Final = {"iss": ISSUER, "sub": LIST, "iat": NOW, "exp": NOW + 300, "ttl": 2, "status_list": _ONE_BIT}


def deflated(octets: bytes) -> str:
    return base64url(zlib.compress(octets, 9))


def status_lists() -> list[dict[str, Any]]:
    """Return the cases: a list and some of its statuses by index, or the list only if it is malformed.

    The long lists are those of appendix C of the draft.
    """
    indexes = (0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345)
    rest: dict[int, int | None] = {1: 0, 1000346: 0, 1048575: 0, 1048576: None}
    two = dict(zip(indexes, (1, 2, 1, 3, 1, 1, 2, 1, 1, 2, 3), strict=True))
    long = json.loads((FOLDER / "long_status_lists.json").read_text())
    first, second = dict(enumerate(_ONE_BIT_STATUSES)), dict(enumerate([1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]))
    valid: list[tuple[str, int, str, dict[int, int | None]]] = [
        ("one bit", 1, _ONE_BIT["lst"], {**first, 16: None, 2**53: None}),  # type: ignore[list-item]
        ("two bits", 2, "eNo76fITAAPfAgc", {**second, 12: None}),
        ("a million of one bit", 1, long["one bit"], {**dict.fromkeys(indexes, 1), **rest}),
        ("a million of two bits", 2, long["two bits"], {**two, **rest}),
        ("four bits", 4, deflated(b"\x21\x43"), {0: 1, 1: 2, 2: 3, 3: 4, 4: None}),
        ("eight bits", 8, deflated(b"\x00\xff"), {0: 0, 1: 255, 2: None}),
        ("empty", 1, deflated(b""), {0: None}),
    ]
    malformed: list[tuple[str, Any, Any]] = [
        ("three bits", 3, _ONE_BIT["lst"]),
        ("no bits", None, _ONE_BIT["lst"]),
        ("bits that are true", True, _ONE_BIT["lst"]),
        ("no list", 1, None),
        ("not base64url", 1, "eNrbuRgAAhcBXQ=="),
        ("not a ZLIB stream", 1, "AAAA"),
        ("a truncated stream", 1, "eNrbuRgAAhc"),
        ("a wrong checksum", 1, "eNrbuRgAAhcBXA"),
        ("data after the stream", 1, base64url(zlib.compress(b"\x00") + b"\x00")),
        ("17 MiB", 1, deflated(bytes(17 * 1024 * 1024))),
    ]
    return [
        {"name": name, "list": {"bits": bits, "lst": lst}, "returns": list(statuses.items())}
        for name, bits, lst, statuses in valid
    ] + [{"name": name, "list": {"bits": bits, "lst": lst}, "raises": "ValueError"} for name, bits, lst in malformed]


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


def status_list_cache() -> list[dict[str, Any]]:
    """Return the cases: steps at times `at`, each an answer, or what is expected of a token with index 0.

    `at` is of a clock that never runs backwards; the time of day is `NOW + at`. `status` is None if the list cannot be
    used. A list is used for at most a minute after it is stale.
    """
    cases: dict[str, list[dict[str, Any]]] = {
        "a list is fresh for its ttl": [
            _seen(0, "blocking", None),
            _list(0),
            _seen(1.9, "no", 0),
            _seen(2, "blocking", 0),
        ],
        "an end is seen in the next list": [_list(0), _seen(2, "blocking", 0), _list(2, status=1), _seen(2, "no", 1)],
        "time in caches counts": [_list(0, ttl=10, age="7"), _seen(2.9, "no", 0), _seen(3, "blocking", 0)],
        "without a ttl the headers count": [_list(0, ttl=None), _seen(59, "no", 0), _seen(60, "blocking", 0)],
        "a list ends with its exp": [_list(0, iat=NOW - 290), _seen(9.9, "blocking", 0), _seen(10, "blocking", None)],
        "while the server is unavailable the list is used for a minute, and one caller tries": [
            *(_list(0), _seen(2, "blocking", 0), _lost(2), _seen(2.5, "no", 0), _seen(3, "background", 0)),
            *(_answer(3, "", 503), _seen(61.9, "background", 0), _seen(62, "background", None)),
        ],
        "an older list does not replace a newer one, but makes it fresh": [
            *(_list(0, status=1), _list(2, iat=NOW - 5), _seen(3.9, "no", 1), _seen(4, "blocking", 1))
        ],
        "a list from the future is replaced": [_list(0, iat=NOW + 3600), _list(2, status=1), _seen(3.9, "no", 1)],
        "a list within the skew is not from the future": [
            *(_list(0, iat=NOW + 7), _list(2, status=1), _seen(3.9, "no", 0)),
        ],
        "304 makes it fresh for its ttl": [_list(0), _answer(2, "", 304), _seen(3.9, "no", 0), _seen(4, "blocking", 0)],
        "304 without a list is not usable": [_answer(0, "", 304), _seen(0.5, "no", None), _seen(1, "blocking", None)],
        "an answer that is not a list is not usable": [
            *(_list(0), _answer(2, "<html>"), _seen(2.5, "no", 0), _seen(3, "background", 0))
        ],
        "a list that was never received": [_lost(0), _seen(0.5, "no", None), _seen(1, "blocking", None)],
    }
    return [{"name": name, "steps": steps} for name, steps in cases.items()]


def _seen(at: float, ask: str, status: int | None) -> dict[str, Any]:
    return {"at": at, "ask": ask, "status": status}


def _lost(at: float) -> dict[str, Any]:

    return {"at": at, "answer": None}


def _answer(at: float, body: str, status: int = 200, **headers: str) -> dict[str, Any]:
    """Return the step of an answer, which may be cached for a minute unless its headers say otherwise."""
    headers = {"cache-control": "public, max-age=60", **headers}
    return {"at": at, "answer": {"status": status, "headers": headers, "body": body}}


def _list(at: float, *, status: int = 0, iat: int | None = None, ttl: int | None = 2, age: str = "0") -> dict[str, Any]:
    """Return an answer with a list of eight statuses, of which the first one is given."""
    issued_at = NOW + int(at) if iat is None else iat
    status_list = {"bits": 1, "lst": deflated(bytes([status]))}
    claims = {"iss": ISSUER, "sub": LIST, "iat": issued_at, "exp": issued_at + 300, "status_list": status_list}
    return _answer(at, jwt(LIST_HEADER, claims | ({} if ttl is None else {"ttl": ttl})), age=age, etag='"1"')
