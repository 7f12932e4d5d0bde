"""Vectors and scenarios of tests/vectors: how they are read, and how outcomes are compared with them."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from jeton_client import AccessToken, DPoP, ProtectedResource
from jeton_client.messages import Answer
from support.checkout import ROOT

VECTORS: Final = ROOT / "tests" / "vectors"
ISSUER: Final = "https://as.example/tenant"
AUDIENCE: Final = "https://api.example"
START: Final = 1_800_000_000


def read(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


SERVER: Final = read("scenarios/server")
TOKENS: Final = read("tokens")
_KEYS: Final = {key["kid"]: key for key in read("public_keys")["keys"]}


def answer_of(members: Mapping[str, Any] | None) -> Answer | None:
    """Return the response of a vector, or None if it is lost. A body that is an object is rendered as JSON."""
    if members is None:
        return None
    body = members.get("body", "")
    if "token" in members:
        body = TOKENS[members["token"]]
    if "keys" in members:
        body = {"keys": [_KEYS.get(it, it) if isinstance(it, str) else it for it in members["keys"]]}
    if isinstance(body, dict) and body.get("id_token") in TOKENS:
        body = {**body, "id_token": TOKENS[body["id_token"]]}
    text = body if isinstance(body, str) else json.dumps(body)
    return Answer(members.get("status", 200), members.get("headers", {}), text.encode())


def jwk_of(case: Mapping[str, Any]) -> dict[str, Any]:
    """Return the key of a vector: as it is, or a published one with changed members."""
    changed = {**_KEYS[case["key"]], **case.get("with", {})} if "key" in case else dict(case["jwk"])
    return {name: it for name, it in changed.items() if name not in case.get("without", ())}


def resource_of(members: Mapping[str, Any]) -> ProtectedResource:
    """Return the resource of a vector: by default at the audience, and at the time of the vectors."""
    dpop = DPoP(**members["dpop"], clock=lambda: START) if "dpop" in members else None
    basic = {"identifier": AUDIENCE, "authorization_servers": [ISSUER]}
    return ProtectedResource(**{**basic, **members, "dpop": dpop})


def outcome_of(call: Callable[[], Any]) -> Any:
    """Return the result, or the error."""
    try:
        return call()
    except Exception as error:
        return error


def check(expected: Mapping[str, Any], outcome: Any) -> None:
    """Check what a vector `raises` (the name of the error, and members) or `returns` (of objects, these members)."""
    assert not isinstance(outcome, Exception) or "the-password" not in str(outcome)
    if "raises" in expected:
        members = expected["raises"] if isinstance(expected["raises"], dict) else {"name": expected["raises"]}
        assert members["name"] in [ancestor.__name__ for ancestor in type(outcome).__mro__], repr(outcome)
        assert {name: getattr(outcome, name, members["name"]) for name in members} == members
        return
    if isinstance(outcome, Exception):
        raise outcome
    value, returns = _facts(outcome) if isinstance(outcome, AccessToken) else outcome, expected.get("returns")
    if isinstance(returns, dict) and returns.keys() <= value.keys():
        value = {name: value[name] for name in returns}
    assert value == returns


def _facts(token: AccessToken) -> dict[str, Any]:
    return {
        "subject": token.subject,
        "client_id": token.client_id,
        "scope": sorted(token.scope),
        "roles": list(token.roles),
        "expires_at": None if token.expires_at == float("inf") else token.expires_at,
        "status": token.status and {"uri": token.status.uri, "idx": token.status.idx},
    }
