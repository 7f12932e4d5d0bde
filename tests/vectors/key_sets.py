"""Public keys that can be used (RFC 7517)."""

from typing import Any

from vectors.signing import keys, without


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


def _public(kid: str) -> dict[str, Any]:
    return dict(keys()[kid].as_dict(private=False))
