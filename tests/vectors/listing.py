"""Status lists and the tokens that carry them (draft-ietf-oauth-status-list-21)."""

import zlib
from typing import Any, Final

from vectors.asking import answer
from vectors.caching import told
from vectors.signing import base64url, jwt, segment
from vectors.verifying import ISSUER, LIST, NOW, without

_MINUTE: Final = "public, max-age=60"
LIST_HEADER: Final = {"alg": "RS256", "typ": "statuslist+jwt", "kid": "one"}
# Section 4.1 of the draft: 16 statuses of one bit, and 12 of two.
_ONE_BIT: Final = {"bits": 1, "lst": "eNrbuRgAAhcBXQ"}
_ONE_BIT_STATUSES: Final = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
LIST_CLAIMS: Final = {"iss": ISSUER, "sub": LIST, "iat": NOW, "exp": NOW + 300, "ttl": 2, "status_list": _ONE_BIT}


def vectors() -> dict[str, list[dict[str, Any]]]:
    return {
        "status_lists": _status_lists(),
        "status_list_tokens": _status_list_tokens(),
        "status_list_cache": _status_list_cache(),
    }


def _status_lists() -> list[dict[str, Any]]:
    """The draft's own: section 4.1, and the long lists of appendix C; statuses are by index."""
    places = (0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345)
    rest: dict[int, int | None] = {1: 0, 1000346: 0, 1048575: 0, 1048576: None}
    long = dict.fromkeys(places, 1) | rest
    two = dict(zip(places, (1, 2, 1, 3, 1, 1, 2, 1, 1, 2, 3), strict=True)) | rest
    first: dict[int, int | None] = dict(enumerate(_ONE_BIT_STATUSES)) | {16: None, 2**53: None}
    second: dict[int, int | None] = dict(enumerate([1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3])) | {12: None}
    good: list[tuple[str, int, str, dict[int, int | None]]] = [
        ("one bit", 1, "eNrbuRgAAhcBXQ", first),
        ("two bits", 2, "eNo76fITAAPfAgc", second),
        ("a million of one bit", 1, base64url(bytes.fromhex(_C1)), long),
        ("a million of two bits", 2, base64url(bytes.fromhex(_C2)), two),
        ("four bits", 4, deflated(b"\x21\x43"), {0: 1, 1: 2, 2: 3, 3: 4, 4: None}),
        ("eight bits", 8, deflated(b"\x00\xff"), {0: 0, 1: 255, 2: None}),
        ("empty", 1, deflated(b""), {0: None}),
    ]
    bad: list[tuple[str, Any, Any]] = [
        ("three bits", 3, _ONE_BIT["lst"]),
        ("no bits", None, _ONE_BIT["lst"]),
        ("bits that are true", True, _ONE_BIT["lst"]),
        ("no list", 1, None),
        ("not base64url", 1, "eNrbuRgAAhcBXQ=="),
        ("no ZLIB stream", 1, "AAAA"),
        ("a stream that is cut", 1, "eNrbuRgAAhc"),
        ("a wrong checksum", 1, "eNrbuRgAAhcBXA"),
        ("something behind the stream", 1, base64url(zlib.compress(b"\x00") + b"\x00")),
        ("17 MiB", 1, deflated(bytes(17 * 1024 * 1024))),
    ]
    return [
        {
            "name": name,
            "given": {"bits": bits, "lst": lst},
            "expect": {"statuses": [list(it) for it in statuses.items()]},
        }
        for name, bits, lst, statuses in good
    ] + [{"name": name, "given": {"bits": bits, "lst": lst}, "expect": {"error": True}} for name, bits, lst in bad]


def deflated(octets: bytes) -> str:
    return base64url(zlib.compress(octets, 9))


_C1: Final = """
78daeddc010dc0200c0041a88249400ad2903e0f4b
ba00bd93f002beb7a2a2010000a91e09000000000000000000000000000000807296
04000000000000000000000000000000000000000000000000000000000000000000
000000000000005c6f4800000000000000fc2c240000000000000000000000be1b12
000000000000000000ecaa4b000000000000000000000000000000009b0b09000000
00000000000038de9400000000000000002a30cc010000000080642f0bd8011b"""
_C2: Final = """
78daeddb310d00211000412ea1a04004fe5520ed357c28c81d3312b6df68bc65480000000000406e2101000000000000000000000000
0000000000000000000000000000000000000040795b020000000000000000000000
00000000000000000000000000000000000000000000000000000000000000000000
00000000000000000000000000000000000000000000000000000000000000000000
0080f4ba0400000000000000000000000000406d764a000000000000000000000000
000000000000000000e0922101000000000000000000000000000000000000fc1312
00000000000000000000000000000000000000000000000000000000000000c0912e
01000000000000000000000000000000000000c07d4b020000000000000000000000
00000000a8614a0000000000000000000000406a1fcd60010c"""


def _status_list_tokens() -> list[dict[str, Any]]:
    def token(**claims: Any) -> str:
        return jwt(LIST_HEADER, {**LIST_CLAIMS, **claims})

    facts = {"issued_at": NOW, "ttl": 2, "statuses": [[0, 1], [1, 0], [15, 1], [16, None]]}
    rows: list[tuple[str, str, dict[str, Any]]] = [
        ("good", token(), facts),
        ("a type in full", jwt({**LIST_HEADER, "typ": "application/statuslist+jwt"}, LIST_CLAIMS), facts),
        ("no issuer", jwt(LIST_HEADER, without(LIST_CLAIMS, "iss")), facts),
        ("no expiry", jwt(LIST_HEADER, without(LIST_CLAIMS, "exp")), facts),
        ("no ttl", jwt(LIST_HEADER, without(LIST_CLAIMS, "ttl")), {**facts, "ttl": None}),
        ("an access token", jwt({**LIST_HEADER, "typ": "at+jwt"}, LIST_CLAIMS), {"reason": "typ"}),
        ("by another key", jwt(LIST_HEADER, LIST_CLAIMS, "other"), {"reason": "signature"}),
        ("alg none", f"{segment({**LIST_HEADER, 'alg': 'none'})}.{segment(LIST_CLAIMS)}.AA", {"reason": "alg"}),
        ("of another issuer", token(iss="https://evil.example"), {"reason": "iss"}),
        ("of another address", token(sub=LIST + "0"), {"reason": "sub"}),
        ("of no address", jwt(LIST_HEADER, without(LIST_CLAIMS, "sub")), {"reason": "sub"}),
        ("expired", token(exp=NOW), {"reason": "exp"}),
        ("no time", jwt(LIST_HEADER, without(LIST_CLAIMS, "iat")), {"reason": "claims"}),
        ("a ttl of nothing", token(ttl=0), {"reason": "claims"}),
        ("a ttl as text", token(ttl="2"), {"reason": "claims"}),
        ("no list", jwt(LIST_HEADER, without(LIST_CLAIMS, "status_list")), {"reason": "claims"}),
        ("a list that is cut", token(status_list={"bits": 1, "lst": "eNrbuRgAAhc"}), {"reason": "claims"}),
    ]
    return [
        {"name": name, "given": {"token": it, "uri": LIST, "now": NOW}, "expect": expect} for name, it, expect in rows
    ]


def _status_list_cache() -> list[dict[str, Any]]:
    """Lists are judged at the time of day `wall` plus `at`; `at` is of a clock that never runs backwards."""
    rows: list[tuple[str, list[dict[str, Any]]]] = [
        ("fresh for its ttl", [_asked(0, "blocking", None), _given(0), _asked(1.9, "no", 0), _asked(2, "blocking", 0)]),
        (
            "an end is seen at the next answer",
            [_given(0), _asked(2, "blocking", 0), _given(2, status=1), _asked(2, "no", 1)],
        ),
        ("time in caches counts", [_given(0, ttl=10, age="7"), _asked(2.9, "no", 0), _asked(3, "blocking", 0)]),
        ("without a ttl, the headers count", [_given(0, ttl=None), _asked(59, "no", 0), _asked(60, "blocking", 0)]),
        ("never past its end", [_given(0, iat=NOW - 290), _asked(9.9, "blocking", 0), _asked(10, "blocking", None)]),
        (
            "while the server is away it is believed for so long, and one asks now and then",
            [
                *(_given(0), _asked(2, "blocking", 0), told(2, None), _asked(2.5, "no", 0), _asked(3, "background", 0)),
                *(told(3, answer(503, "")), _asked(61.9, "background", 0), _asked(62, "background", None)),
            ],
        ),
        (
            "an older list does not replace a newer one, but is an answer",
            [_given(0, status=1), _given(2, iat=NOW - 5), _asked(3.9, "no", 1), _asked(4, "blocking", 1)],
        ),
        (
            "a list of a time to come does not keep out those of now",
            [_given(0, iat=NOW + 3600), _given(2, status=1), _asked(3.9, "no", 1)],
        ),
        (
            "304 makes it fresh again, for its ttl",
            [
                _given(0),
                told(2, answer(304, "", cache_control=_MINUTE)),
                _asked(3.9, "no", 0),
                _asked(4, "blocking", 0),
            ],
        ),
        (
            "what is no list is no answer",
            [_given(0), told(2, answer(200, "<html>")), _asked(2.5, "no", 0), _asked(3, "background", 0)],
        ),
        ("a list that nobody ever gave", [told(0, None), _asked(0.5, "no", None), _asked(1, "blocking", None)]),
    ]
    given = {"uri": LIST, "wall": NOW, "max_stale_seconds": 60, "idx": 0}
    return [{"name": name, "given": {**given, "steps": steps}} for name, steps in rows]


def _asked(at: float, ask: str, status: int | None) -> dict[str, Any]:
    """A token names this list; `status` is None where the list may not be believed (any more)."""
    return {"at": at, "ask": ask, "status": status}


def _given(
    at: float, *, status: int = 0, iat: int | None = None, ttl: int | None = 2, age: str = "0"
) -> dict[str, Any]:
    """The server gives a list of eight tokens, the first of which has this status."""
    issued_at = NOW + int(at) if iat is None else iat
    status_list = {"bits": 1, "lst": deflated(bytes([status]))}
    claims = {"iss": ISSUER, "sub": LIST, "iat": issued_at, "exp": issued_at + 300, "status_list": status_list}
    claims |= {} if ttl is None else {"ttl": ttl}
    return told(at, answer(200, jwt(LIST_HEADER, claims), cache_control=_MINUTE, age=age, etag='"1"'))
