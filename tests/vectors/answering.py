"""What answers of token and revocation endpoints mean, and what becomes of a session (RFC 6749, RFC 7009)."""

from typing import Any, Final

from vectors.asking import answer

_GOOD: Final = '{"access_token":"a1","token_type":"Bearer","expires_in":600,"refresh_token":"r1","scope":"read"}'
_NEVER: Final = {"try_again": {"after": None}}


def vectors() -> dict[str, list[dict[str, Any]]]:
    return {
        "token_answers": _token_answers(),
        "revocation_answers": _revocation_answers(),
        "renewal_times": _renewal_times(),
        "renewals": _renewals(),
    }


def _tokens(**members: Any) -> dict[str, Any]:
    known = {"access_token": "a1", "expires_at": 1600, "refresh_token": "r1", "scope": "read"}
    return {"tokens": {**known, **members}}


def _refused(error: str, description: str = "") -> dict[str, Any]:
    return {"refused": {"error": error, "description": description}}


def _failures() -> list[tuple[str, dict[str, Any] | None, dict[str, Any]]]:
    """The same for every endpoint."""
    return [
        ("lost", None, _NEVER),
        ("500", answer(500, "oops"), _NEVER),
        ("502 of a proxy, with an error in it", answer(502, '{"error":"invalid_grant"}'), _NEVER),
        ("503", answer(503, "", retry_after="7"), {"try_again": {"after": 7}}),
        ("503 for an hour", answer(503, "", retry_after="3600"), {"try_again": {"after": 60}}),
        ("503 until a date", answer(503, "", retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), _NEVER),
        ("408", answer(408, ""), _NEVER),
        ("429", answer(429, '{"error":"slow_down"}', retry_after="3"), {"try_again": {"after": 3}}),
        ("400 temporarily_unavailable", answer(400, '{"error":"temporarily_unavailable"}'), _NEVER),
        ("400 server_error", answer(400, '{"error":"server_error"}'), _NEVER),
        (
            "400 invalid_grant",
            answer(400, '{"error":"invalid_grant","error_description":"Gone."}'),
            _refused("invalid_grant", "Gone."),
        ),
        ("401 invalid_client", answer(401, '{"error":"invalid_client"}'), _refused("invalid_client")),
        ("400 without an error", answer(400, "Bad Request"), _refused("http_400")),
        ("403 of a proxy", answer(403, "<html>"), _refused("http_403")),
        ("404", answer(404, "{}"), _refused("http_404")),
        ("302", answer(302, "", location="https://evil.example"), _refused("http_302")),
        ("an error that is a number", answer(400, '{"error":7}'), _refused("http_400")),
        (
            "a description that is not for screens",
            answer(400, '{"error":"invalid_scope","error_description":"\\u001b[31mä"}'),
            _refused("invalid_scope", "?[31m?"),
        ),
    ]


def _token_answers() -> list[dict[str, Any]]:
    rows: list[tuple[str, dict[str, Any] | None, dict[str, Any]]] = [
        ("good", answer(200, _GOOD), _tokens()),
        ("a type in small letters", answer(200, _GOOD.replace("Bearer", "bearer")), _tokens()),
        (
            "no more than there must be",
            answer(200, '{"access_token":"a1","token_type":"Bearer"}'),
            _tokens(expires_at=None, refresh_token=None, scope=None),
        ),
        ("half a second", answer(200, _GOOD.replace("600", "0.5")), _tokens(expires_at=1000.5)),
        (
            "another type",
            answer(200, _GOOD.replace("Bearer", "DPoP")),
            {"refused": {"error": "unsupported_token_type"}},
        ),
        (
            "a token that is no access token (RFC 8693 section 2.2.1)",
            answer(200, _GOOD.replace("Bearer", "N_A")),
            {"refused": {"error": "unsupported_token_type"}},
        ),
        (
            "a type that is a list",
            answer(200, _GOOD.replace('"Bearer"', '["Bearer"]')),
            {"refused": {"error": "unsupported_token_type"}},
        ),
        ("no type", answer(200, '{"access_token":"a1"}'), {"refused": {"error": "unsupported_token_type"}}),
        ("cut on the way", answer(200, _GOOD[:-9]), _NEVER),
        ("a page in between", answer(200, "<html>Sign in to Wi-Fi</html>"), _NEVER),
        ("another success", answer(204, ""), _NEVER),
        ("no access token", answer(200, '{"token_type":"Bearer"}'), _NEVER),
        ("an empty access token", answer(200, _GOOD.replace('"a1"', '""')), _NEVER),
        ("an access token that is a number", answer(200, _GOOD.replace('"a1"', "1")), _NEVER),
        ("a lifetime as text", answer(200, _GOOD.replace("600", '"600"')), _NEVER),
        ("a lifetime that is true", answer(200, _GOOD.replace("600", "true")), _NEVER),
        ("no lifetime at all", answer(200, _GOOD.replace("600", "0")), _NEVER),
        ("a refresh token that is a list", answer(200, _GOOD.replace('"r1"', "[]")), _NEVER),
        ("a name that comes twice", answer(200, _GOOD[:-1] + ',"access_token":"a2"}'), _NEVER),
    ]
    return [
        {"name": name, "given": {"answer": given, "asked_at": 1000}, "expect": expect}
        for name, given, expect in rows + _failures()
    ]


def _revocation_answers() -> list[dict[str, Any]]:
    rows: list[tuple[str, dict[str, Any] | None, dict[str, Any]]] = [
        ("revoked", answer(200, ""), {"revoked": True}),
        ("another success", answer(202, ""), _NEVER),
    ]
    return [{"name": name, "given": {"answer": it}, "expect": expect} for name, it, expect in rows + _failures()]


def _renewal_times() -> list[dict[str, Any]]:
    """The lead is a fifth of the lifetime, a minute at most; the margin a twentieth, 5 seconds at most."""
    rows: list[tuple[str, int | None, float, float | None, float | None]] = [
        ("ten minutes, no jitter", 1600, 0, 1540, 1595),
        ("ten minutes, full jitter", 1600, 1, 1480, 1595),
        ("ten minutes, half jitter", 1600, 0.5, 1510, 1595),
        ("an hour", 4600, 0, 4540, 4595),
        ("a minute", 1060, 0, 1048, 1057),
        ("twenty seconds", 1020, 0.5, 1014, 1019),
        ("for ever, as far as is known", None, 0.5, None, None),
    ]
    return [
        {
            "name": name,
            "given": {"received_at": 1000, "expires_at": expires_at, "jitter": jitter},
            "expect": {"renew_at": renew_at, "ended_at": ended_at},
        }
        for name, expires_at, jitter, renew_at, ended_at in rows
    ]


def _session(**members: Any) -> dict[str, Any]:
    tokens = {"access_token": "a1", "received_at": 1000, "expires_at": 1600, "refresh_token": "r1", "scope": "read"}
    pending = {"idempotency_key": "k1", "begun_at": 1550}
    return {"tokens": tokens, "grant": "password", "scope": None, "pending": pending, **members}


def _renewals() -> list[dict[str, Any]]:
    new = {"access_token": "a2", "received_at": 1550, "expires_at": 2150, "refresh_token": "r2", "scope": "read"}
    unrotated = {**new, "refresh_token": None}
    machine = _session(grant="client_credentials", pending=None, scope="report")
    rows: list[tuple[str, dict[str, Any], dict[str, Any], tuple[int, int, float], dict[str, Any]]] = [
        ("new tokens", _session(), {"tokens": new}, (1, 6, 0), {"session": _session(tokens=new, pending=None)}),
        (
            "a refresh token that stays the same",
            _session(),
            {"tokens": unrotated},
            (1, 6, 0),
            {"session": _session(tokens={**unrotated, "refresh_token": "r1"}, pending=None)},
        ),
        ("lost once", _session(), _NEVER, (1, 6, 0), {"pause": 0.125}),
        ("lost once, jitter", _session(), _NEVER, (1, 6, 1), {"pause": 0.25}),
        ("lost three times", _session(), _NEVER, (3, 6, 0), {"pause": 0.5}),
        ("the server asks for more", _session(), {"try_again": {"after": 7}}, (1, 6, 1), {"pause": 7}),
        ("lost too often", _session(), _NEVER, (6, 6, 0), {"server_away": {"retry_after": 4}}),
        (
            "lost too often while the token is good",
            _session(),
            _NEVER,
            (3, 3, 0),
            {"server_away": {"retry_after": 0.5}},
        ),
        ("invalid_grant", _session(), _refused("invalid_grant"), (1, 6, 0), {"login_required": True}),
        ("invalid_client", _session(), _refused("invalid_client"), (1, 6, 0), _refused("invalid_client")),
        ("invalid_scope", _session(), _refused("invalid_scope"), (2, 6, 0), _refused("invalid_scope")),
        ("a proxy's 403", _session(), _refused("http_403"), (1, 6, 0), _refused("http_403")),
        ("a client is never told to log in", machine, _refused("invalid_grant"), (1, 6, 0), _refused("invalid_grant")),
    ]
    return [
        {
            "name": name,
            "given": {"session": session, "judged": judged, "attempt": attempt, "most": most, "jitter": jitter},
            "expect": expect,
        }
        for name, session, judged, (attempt, most, jitter), expect in rows
    ]
