"""Bearer tokens in requests, and the answers to those that are not let in (RFC 6750)."""

from typing import Any

_INVALID = 'error="invalid_token", error_description="The access token is not valid here."'
_INSUFFICIENT = 'error="insufficient_scope", error_description="The access token does not reach as far."'
_MALFORMED = 'error="invalid_request", error_description="The Authorization header is malformed."'


def vectors() -> dict[str, list[dict[str, Any]]]:
    return {"bearer_tokens": _bearer_tokens(), "challenges": _challenges()}


def _bearer_tokens() -> list[dict[str, Any]]:
    malformed: dict[str, Any] = {"error": "malformed_request"}
    rows: list[tuple[str, list[str], dict[str, Any]]] = [
        ("a token", ["Bearer a.b-c_d~e+f/g=="], {"token": "a.b-c_d~e+f/g=="}),
        ("a scheme in small letters", ["bearer abc"], {"token": "abc"}),
        ("more than one space", ["Bearer   abc "], {"token": "abc"}),
        ("no header", [], {"token": None}),
        ("another scheme", ["Basic dTpw"], {"token": None}),
        ("a scheme that begins alike", ["Bearers abc"], {"token": None}),
        ("no token", ["Bearer"], malformed),
        ("an empty token", ["Bearer "], malformed),
        ("two tokens", ["Bearer abc def"], malformed),
        ("a token with a comma", ["Bearer abc,def"], malformed),
        ("a token with a quote", ['Bearer "abc"'], malformed),
        ("a token that is not ASCII", ["Bearer é"], malformed),
        ("two headers", ["Bearer abc", "Bearer abc"], malformed),
        ("two headers, one of another scheme", ["Basic dTpw", "Bearer abc"], malformed),
    ]
    return [{"name": name, "given": {"authorization": it}, "expect": expect} for name, it, expect in rows]


def _challenges() -> list[dict[str, Any]]:
    rows: list[tuple[str, str, dict[str, Any] | None, tuple[int, str, dict[str, str]]]] = [
        ("no token", "api", None, (401, "unauthorized", _challenge('Bearer realm="api"'))),
        (
            "a bad token",
            "api",
            {"error": "invalid_token", "reason": "signature"},
            (401, "invalid_token", _challenge(f'Bearer realm="api", {_INVALID}')),
        ),
        (
            "too little scope",
            "api",
            {"error": "insufficient_scope", "scope": "read write"},
            (403, "insufficient_scope", _challenge(f'Bearer realm="api", {_INSUFFICIENT}, scope="read write"')),
        ),
        (
            "a malformed header",
            "api",
            {"error": "malformed_request"},
            (400, "invalid_request", _challenge(f'Bearer realm="api", {_MALFORMED}')),
        ),
        (
            "a realm with quotes",
            'the "api" \\ é',
            None,
            (401, "unauthorized", _challenge('Bearer realm="the \\"api\\" \\\\ ?"')),
        ),
        (
            "nobody can say",
            "api",
            {"error": "unverifiable", "retry_after": 3.4},
            (503, "temporarily_unavailable", {"retry-after": "4"}),
        ),
        (
            "nobody can say, for a moment",
            "api",
            {"error": "unverifiable", "retry_after": 0.1},
            (503, "temporarily_unavailable", {"retry-after": "1"}),
        ),
        (
            "a server that is not to be trusted",
            "api",
            {"error": "untrusted_server"},
            (503, "temporarily_unavailable", {"retry-after": "1"}),
        ),
    ]
    return [
        {
            "name": name,
            "given": {"realm": realm, "why": why},
            "expect": {"status": status, "error": error, "headers": headers},
        }
        for name, realm, why, (status, error, headers) in rows
    ]


def _challenge(text: str) -> dict[str, str]:
    return {"www-authenticate": text}
