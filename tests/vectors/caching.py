"""Strict JSON, and for how long what was fetched is good (RFC 8259, RFC 9111, RFC 7517)."""

import json
from typing import Any, Final

from vectors.asking import answer
from vectors.signing import keys, public_keys

_KEYS: Final = json.dumps(public_keys())
_MINUTE: Final = "public, max-age=60"


def vectors() -> dict[str, list[dict[str, Any]]]:
    return {
        "strict_json": _strict_json(),
        "fresh_seconds": _fresh_seconds(),
        "usable_keys": _usable_keys(),
        "key_set": _key_set(),
    }


def _strict_json() -> list[dict[str, Any]]:
    good = [
        "{}",
        ' {"a": 1} ',
        '{"a": {"b": [1, "2", null, true, 0.5]}}',
        '{"a": 1, "A": 2}',
        '{"__proto__": 1}',
        nested(64),
    ]
    bad = [
        "",
        "[]",
        "1",
        "null",
        '"a"',
        "{",
        '{"a": 1}x',
        '{"a": 1, "a": 1}',
        '{"a": {"b": 1, "b": 2}}',
        '{"a": [{"b": 1, "b": 2}]}',
        '{"a": 1, "\\u0061": 2}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        "\ufeff{}",
        nested(65),
        "{'a': 1}",
        '{"a": 1,}',
    ]
    return [{"name": it, "given": {"text": it}, "expect": {"object": json.loads(it)}} for it in good] + [
        {"name": it or "empty", "given": {"text": it}, "expect": {"error": True}} for it in bad
    ]


def nested(depth: int) -> str:
    """An object with so many brackets open at once."""
    return '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


def _fresh_seconds() -> list[dict[str, Any]]:
    rows: list[tuple[str, dict[str, str], float]] = [
        ("nothing said", {}, 300),
        ("a minute", {"cache-control": "public, max-age=60"}, 60),
        ("capitals", {"cache-control": "Max-Age=60"}, 60),
        ("quoted", {"cache-control": 'max-age="60"'}, 60),
        ("age", {"cache-control": "max-age=60", "age": "20"}, 40),
        ("older than fresh", {"cache-control": "max-age=60", "age": "70"}, 1),
        ("not at all", {"cache-control": "max-age=0"}, 1),
        ("no-store", {"cache-control": "no-store, max-age=60"}, 1),
        ("no-cache", {"cache-control": "no-cache"}, 1),
        ("a year", {"cache-control": "max-age=31536000"}, 86400),
        ("for shared caches", {"cache-control": "s-maxage=10"}, 300),
        ("no number", {"cache-control": "max-age=soon"}, 300),
        ("negative", {"cache-control": "max-age=-1"}, 300),
    ]
    return [
        {"name": name, "given": {"headers": headers, "default": 300}, "expect": {"seconds": seconds}}
        for name, headers, seconds in rows
    ]


def _usable_keys() -> list[dict[str, Any]]:
    def rsa(**more: Any) -> dict[str, Any]:
        jwk = {**keys()["one"].as_dict(private=False), "kid": "one", "use": "sig", "alg": "RS256", **more}
        return {name: value for name, value in jwk.items() if value is not None}

    ec = {**keys()["ec"].as_dict(private=False), "kid": "ec"}
    ed = {**keys()["ed"].as_dict(private=False), "kid": "ed"}
    rows: list[tuple[str, dict[str, Any], list[str]]] = [
        ("RSA", rsa(), ["RS256"]),
        ("RSA for any algorithm", rsa(alg=None), ["PS256", "RS256"]),
        ("RSA for any use", rsa(use=None), ["RS256"]),
        ("RSA to verify", rsa(key_ops=["verify"]), ["RS256"]),
        ("P-256", ec, ["ES256"]),
        ("Ed25519", {**ed, "alg": "EdDSA"}, ["EdDSA"]),
        ("Ed25519 by its new name", {**ed, "alg": "Ed25519"}, ["Ed25519"]),
        ("RSA to encrypt", rsa(use="enc"), []),
        ("RSA to wrap", rsa(key_ops=["wrapKey"]), []),
        ("RSA for HS256", rsa(alg="HS256"), []),
        ("RSA for RS512", rsa(alg="RS512"), []),
        ("RSA for ES256", rsa(alg="ES256"), []),
        ("RSA without a kid", rsa(kid=None), []),
        ("RSA with an empty kid", rsa(kid=""), []),
        ("RSA with a kid that is a number", rsa(kid=1), []),
        ("RSA without a modulus", rsa(n=None), []),
        ("RSA of 1024 bits", rsa(n=_SHORT), []),
        ("a secret", {"kty": "oct", "k": "c2VjcmV0", "kid": "oct"}, []),
        ("P-256 of another curve", {**ec, "crv": "P-384"}, []),
        ("X25519", {**ed, "crv": "X25519"}, []),
        *[(name, jwk, []) for name, jwk in odd_keys().items()],
    ]
    return [{"name": name, "given": {"jwk": jwk}, "expect": {"algorithms": it}} for name, jwk, it in rows]


def odd_keys() -> dict[str, dict[str, Any]]:
    """Keys that can verify nothing, by what is odd about them."""
    rsa: dict[str, Any] = {**keys()["one"].as_dict(private=False), "kid": "odd", "alg": "RS256"}
    ec: dict[str, Any] = {**keys()["ec"].as_dict(private=False), "kid": "odd"}
    ed: dict[str, Any] = {**keys()["ed"].as_dict(private=False), "kid": "odd"}

    def each(jwk: dict[str, Any], member: str, *values: object) -> dict[str, dict[str, Any]]:
        return {f"{jwk['kty']} whose {member} is {value!r}": {**jwk, member: value} for value in values}

    return {
        "no member at all": {},
        "an unknown kind": {"kty": "AKP", "kid": "odd"},
        **each(rsa, "kty", "__proto__", "constructor", "toString", ["RSA"], {}, None, 1),
        **each(rsa, "alg", "__proto__", ["RS256"], {}, None, 1),
        **each(rsa, "key_ops", "verify", {}, None, [["verify"]]),
        **each(rsa, "n", 1, None, [], "", "A", "é", "AQAB"),
        "a modulus with padding": {**rsa, "n": rsa["n"] + "=="},
        "a modulus in another spelling": {**rsa, "n": rsa["n"][:-1] + chr(ord(rsa["n"][-1]) + 1)},
        "a modulus of 16392 bits": {**rsa, "n": "_" * 2732},
        **each(rsa, "e", 1, None, "", "AQ", "Ag", "A" * 22, "AQAAAAAAAAAB"),
        **each(ec, "crv", "P-384", "__proto__", ["P-256"], None),
        "a point on no curve": {**ec, "y": ec["x"]},
        "a point that is too short": {**ec, "x": ec["x"][:-4]},
        "a point without y": {name: value for name, value in ec.items() if name != "y"},
        **each(ed, "x", 1, "", "AAAA", ed["x"] + "="),
    }


_SHORT: Final = "v" * 170 + "w"


def _asked(at: float, kid: str, ask: str, *, known: bool) -> dict[str, Any]:
    """A token names this key. What is asked for is asked: the answer is the next step, or nothing comes."""
    return {"at": at, "kid": kid, "ask": ask, "known": known}


def told(at: float, told: dict[str, Any] | None) -> dict[str, Any]:
    return {"at": at, "answer": told}


def _key_set() -> list[dict[str, Any]]:
    good = told(0, answer(200, _KEYS, cache_control=_MINUTE, etag='"1"'))
    rows: list[tuple[str, list[dict[str, Any]]]] = [
        (
            "fetched once, and kept for as long as its headers say",
            [
                _asked(0, "one", "blocking", known=False),
                good,
                _asked(1, "one", "no", known=True),
                _asked(59, "ec", "no", known=True),
                _asked(60, "one", "background", known=True),
            ],
        ),
        (
            "an unknown kid is asked for once, and again after the cool-down",
            [
                good,
                _asked(9, "new", "no", known=False),
                _asked(10, "new", "blocking", known=False),
                told(10, answer(200, _KEYS)),
                _asked(19, "new", "no", known=False),
                _asked(19, "other", "no", known=False),
                _asked(20, "new", "blocking", known=False),
            ],
        ),
        (
            "the cool-down counts from the request, also for one without an answer",
            [
                good,
                _asked(10, "new", "blocking", known=False),
                told(10, None),
                _asked(19, "new", "no", known=False),
                _asked(20, "new", "blocking", known=False),
            ],
        ),
        (
            "a new key is found",
            [
                told(0, answer(200, '{"keys": []}')),
                _asked(10, "one", "blocking", known=False),
                told(10, answer(200, _KEYS)),
                _asked(10, "one", "no", known=True),
            ],
        ),
        (
            "a key that is withdrawn is gone",
            [
                good,
                told(60, answer(200, '{"keys": []}')),
                _asked(61, "one", "no", known=False),
            ],
        ),
        (
            "keys are kept while the server is away, for an hour",
            [
                good,
                told(60, None),
                _asked(61, "one", "no", known=True),
                _asked(70, "one", "background", known=True),
                told(3655, answer(503, "")),
                _asked(3659.9, "one", "no", known=True),
                _asked(3660, "one", "blocking", known=False),
                told(3660, None),
                _asked(3660.9, "one", "no", known=False),
                _asked(3661, "one", "blocking", known=False),
                told(3661, answer(304, "", cache_control=_MINUTE)),
                _asked(3662, "one", "no", known=True),
            ],
        ),
        (
            "odd keys do not spoil the others",
            [
                told(
                    0,
                    answer(
                        200, json.dumps({"keys": [*odd_keys().values(), None, 1, "key", [], *public_keys()["keys"]]})
                    ),
                ),
                *[_asked(1, kid, "no", known=True) for kid in ("one", "ps", "ec", "ed")],
                _asked(1, "odd", "no", known=False),
            ],
        ),
        (
            "nor does one with a name that comes twice",
            [
                told(0, answer(200, _KEYS.replace('{"keys": [', '{"keys": [{"kty": "RSA", "kty": "RSA"}, ', 1))),
                _asked(1, "one", "no", known=True),
            ],
        ),
        (
            "what is no key set changes nothing",
            [
                good,
                told(60, answer(200, "<html>")),
                _asked(60, "one", "no", known=True),
                told(70, answer(200, '{"keys": {}}')),
                _asked(70, "one", "no", known=True),
                told(80, answer(404, '{"keys": []}')),
                _asked(80, "one", "no", known=True),
            ],
        ),
        (
            "304 makes it fresh again",
            [
                good,
                told(60, answer(304, "", cache_control=_MINUTE)),
                _asked(119, "one", "no", known=True),
                _asked(120, "one", "background", known=True),
            ],
        ),
        (
            "304 to who has nothing is no answer",
            [
                told(0, answer(304, "", cache_control=_MINUTE)),
                _asked(1, "one", "blocking", known=False),
            ],
        ),
        (
            "without keys it is asked again after a second",
            [
                told(0, None),
                _asked(0.5, "one", "no", known=False),
                _asked(1, "one", "blocking", known=False),
            ],
        ),
        (
            "nothing said: five minutes",
            [
                told(0, answer(200, _KEYS)),
                _asked(299, "one", "no", known=True),
                _asked(300, "one", "background", known=True),
            ],
        ),
    ]
    return [{"name": name, "given": {"steps": steps}} for name, steps in rows]
