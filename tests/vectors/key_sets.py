"""Public keys that can be used, and how long they are cached (RFC 7517)."""

import json
from typing import Any, Final

from vectors.signing import keys, public_keys, without
from vectors.status_lists import answer, lost

_KEYS: Final = json.dumps(public_keys())


def usable_keys() -> list[dict[str, Any]]:
    """Return the cases: a JWK and the algorithms that it verifies."""

    def rsa(**more: Any) -> dict[str, Any]:
        jwk = {**_public("one"), "kid": "one", "use": "sig", "alg": "RS256", **more}
        return {name: value for name, value in jwk.items() if value is not None}

    ec, ed = {**_public("ec"), "kid": "ec"}, {**_public("ed"), "kid": "ed"}
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
        *[(f"RSA for {alg}", rsa(alg=alg), []) for alg in ("HS256", "RS512", "ES256")],
        *[(f"RSA with the kid {kid!r}", rsa(kid=kid), []) for kid in (None, "", 1)],
        ("RSA without a modulus", rsa(n=None), []),
        ("RSA of 1024 bits", rsa(n="v" * 170 + "w"), []),
        ("a secret", {"kty": "oct", "k": "c2VjcmV0", "kid": "oct"}, []),
        *[(name, jwk, []) for name, jwk in unusable_keys().items()],
    ]
    return [{"name": name, "jwk": jwk, "returns": algorithms} for name, jwk, algorithms in rows]


def unusable_keys() -> dict[str, dict[str, Any]]:
    """Return malformed and weak keys with the kid `odd`, by name."""
    rsa: dict[str, Any] = {**_public("one"), "kid": "odd", "alg": "RS256"}
    ec: dict[str, Any] = {**_public("ec"), "kid": "odd"}
    ed: dict[str, Any] = {**_public("ed"), "kid": "odd"}

    def each(jwk: dict[str, Any], member: str, *values: object) -> dict[str, dict[str, Any]]:
        return {f"{jwk['kty']} with {member} {value!r}": {**jwk, member: value} for value in values}

    return {
        "no members": {},
        "an unknown type": {"kty": "AKP", "kid": "odd"},
        **each(rsa, "kty", "__proto__", "constructor", "toString", ["RSA"], {}, None, 1),
        **each(rsa, "alg", "__proto__", ["RS256"], {}, None, 1),
        **each(rsa, "key_ops", "verify", {}, None, [["verify"]]),
        **each(rsa, "n", 1, None, [], "", "A", "é", "AQAB"),
        "a modulus with padding": {**rsa, "n": rsa["n"] + "=="},
        "a modulus in another spelling": {**rsa, "n": rsa["n"][:-1] + chr(ord(rsa["n"][-1]) + 1)},
        "a modulus of 16392 bits": {**rsa, "n": "_" * 2732},
        **each(rsa, "e", 1, None, "", "AQ", "Ag", "A" * 22, "AQAAAAAAAAAB"),
        **each(ec, "crv", "P-384", "__proto__", ["P-256"], None),
        "a point that is not on the curve": {**ec, "y": ec["x"]},
        "a point that is too short": {**ec, "x": ec["x"][:-4]},
        "a point without y": without(ec, "y"),
        **each(ed, "crv", "X25519"),
        **each(ed, "x", 1, "", "AAAA", ed["x"] + "="),
    }


def key_set() -> list[dict[str, Any]]:
    """Return the cases: steps at times `at`, each an answer, or what is expected for a token with this `kid`."""
    good = answer(0, _KEYS, etag='"1"')
    mixed = json.dumps({"keys": [*unusable_keys().values(), None, 1, "key", [], *public_keys()["keys"]]})
    duplicate = _KEYS.replace('{"keys": [', '{"keys": [{"kty": "RSA", "kty": "RSA"}, ', 1)
    hundred_and_one = json.dumps({"keys": public_keys()["keys"] + [{}] * 97})
    cases: dict[str, list[dict[str, Any]]] = {
        "keys are fetched once, and fresh as long as their headers say": [
            *(_seen(0, "one", "blocking", known=False), good, _seen(1, "one", "no"), _seen(59, "ec", "no")),
            *(_seen(60, "one", "background"), answer(60, _KEYS), _seen(61, "one", "no", unchanged=True)),
        ],
        "an unknown kid causes one request per cool-down": [
            *(good, _seen(9, "new", "no", known=False), _seen(10, "new", "blocking", known=False), answer(10, _KEYS)),
            *(_seen(19, "new", "no", known=False), _seen(19, "other", "no", known=False)),
            _seen(20, "new", "blocking", known=False),
        ],
        "the cool-down starts with the request, also if it gets no response": [
            *(good, _seen(10, "new", "blocking", known=False), lost(10), _seen(19, "new", "no", known=False)),
            _seen(20, "new", "blocking", known=False),
        ],
        "a new key is found": [
            *(answer(0, '{"keys": []}'), _seen(10, "one", "blocking", known=False), answer(10, _KEYS)),
            _seen(10, "one", "no"),
        ],
        "a withdrawn key is removed": [good, answer(60, '{"keys": []}'), _seen(61, "one", "no", known=False)],
        "keys are used for an hour while the server is unavailable": [
            *(good, lost(60), _seen(61, "one", "no"), _seen(70, "one", "background"), answer(3655, "", 503)),
            *(_seen(3659.9, "one", "no"), _seen(3660, "one", "blocking", known=False), lost(3660)),
            *(_seen(3660.9, "one", "no", known=False), _seen(3661, "one", "blocking", known=False)),
            *(answer(3661, "", 304), _seen(3662, "one", "no")),
        ],
        "unusable keys do not affect the others": [
            *(answer(0, mixed), *[_seen(1, kid, "no") for kid in ("one", "ps", "ec", "ed")]),
            _seen(1, "odd", "no", known=False),
        ],
        "a key with a duplicate name does not affect the others": [answer(0, duplicate), _seen(1, "one", "no")],
        "the first of two keys with one kid is used": [
            *(answer(0, json.dumps({"keys": [*public_keys()["keys"], {**_public("other"), "kid": "one"}]})),),
            *(answer(60, _KEYS), _seen(60, "one", "no", unchanged=True)),
        ],
        "answers without a key set change nothing": [
            *(good, answer(60, "<html>"), _seen(60, "one", "no"), answer(70, '{"keys": {}}')),
            *(_seen(70, "one", "no"), answer(80, '{"keys": []}', 404), _seen(80, "one", "no")),
            *(answer(90, hundred_and_one), _seen(90, "one", "no", unchanged=True), _seen(100, "one", "background")),
        ],
        "304 makes keys fresh": [good, answer(60, "", 304), _seen(119, "one", "no"), _seen(120, "one", "background")],
        "304 without keys is not usable": [answer(0, "", 304), _seen(1, "one", "blocking", known=False)],
        "without keys they are fetched again after a second": [
            *(lost(0), _seen(0.5, "one", "no", known=False), _seen(1, "one", "blocking", known=False)),
        ],
        "without headers keys are fresh for five minutes": [
            {"at": 0, "answer": {"body": _KEYS}},
            *(_seen(299, "one", "no"), _seen(300, "one", "background")),
        ],
    }
    return [{"name": name, "steps": steps} for name, steps in cases.items()]


def _public(kid: str) -> dict[str, Any]:
    return dict(keys()[kid].as_dict(private=False))


def _seen(at: float, kid: str, ask: str, *, known: bool = True, unchanged: bool = False) -> dict[str, Any]:
    """Return whether to fetch the keys, whether the kid is known, and that the last answer left the cached keys."""
    return {"at": at, "kid": kid, "ask": ask, "known": known} | ({"unchanged": True} if unchanged else {})
