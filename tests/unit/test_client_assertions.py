"""Client assertions: everything but the signature."""

from typing import Any

import pytest

from jeton.oauth.client_assertions import AssertionAudiences, assertion_rejection_reason, claimed_client_id
from support.builders import NOW, client
from support.client_keys import given
from support.tables import rows

ISSUER, TOKEN_ENDPOINT = "https://id.example", "https://id.example/oauth/token"
AUDIENCES = AssertionAudiences(ISSUER, TOKEN_ENDPOINT)
HEADER = {"alg": "ES256", "kid": "1"}
CLAIMS = {"iss": "web", "sub": "web", "aud": ISSUER, "exp": NOW + 60, "jti": "j"}


def reason(header: dict[str, Any], claims: dict[str, Any], **fields: Any) -> str | None:
    return assertion_rejection_reason(given(HEADER | header), given(CLAIMS | claims), client(**fields), AUDIENCES, NOW)


VALID: list[tuple[dict[str, Any], dict[str, Any]]] = [
    *(({}, {}), ({"kid": ...}, {}), ({"alg": "PS256"}, {"aud": [ISSUER]}), ({"typ": "JWT"}, {})),
    *(({"typ": it}, {}) for it in ("client-authentication+jwt", "application/Client-Authentication+jwt")),
    # They are ignored.
    ({"jku": "https://evil.example", "x5u": "https://evil.example", "jwk": {}}, {"extra": 1}),
    *(({}, it) for it in ({"iat": NOW + 10, "nbf": NOW + 10}, {"iat": NOW - 3600})),
    *(({}, {"exp": NOW + it}) for it in (1, 0.5, 600)),
]
INVALID_HEADERS: dict[str, list[dict[str, Any]]] = {
    "header": [*({"alg": it} for it in ("none", "HS256", ..., ["ES256"])), {"kid": 1}, {"crit": ["b64"], "b64": False}],
    "type": [{"typ": it} for it in ("at+jwt", "dpop+jwt", "logout+jwt", "oauth-authz-req+jwt", "", 1)],
}
OTHER_ENDPOINTS = ["https://id.example/oauth/par", "https://id.example/oauth/introspect"]
OTHER_LISTS: list[Any] = [[], [ISSUER, "https://other.example"], [ISSUER, TOKEN_ENDPOINT], {"0": ISSUER}]
INVALID_CLAIMS: dict[str, list[dict[str, Any]]] = {
    "another_client": [{"iss": "other"}, {"sub": "other"}, {"iss": ...}, {"sub": ["web"]}],
    "audience": [{"aud": it} for it in (..., TOKEN_ENDPOINT, *OTHER_ENDPOINTS, ISSUER + "/", *OTHER_LISTS)],
    "jti": [{"jti": it} for it in (..., "", 5)],
    "time": [
        *({"exp": it} for it in (..., "1", True, float("inf"), 10**400)),  # no float is as large
        *({"nbf": -(10**400)}, {"nbf": None}, {"iat": "1"}),
    ],
    "expired": [{"exp": NOW}],
    "too_long": [{"exp": NOW + 601}],
    "future": [{"nbf": NOW + 11}, {"iat": NOW + 61}],
}


@pytest.mark.requirement("CA01", "CA02", "CA03", "CA04", "CA05", "PA12")
@pytest.mark.parametrize(
    ("expected", "header", "claims"),
    [
        *((None, *it) for it in VALID),
        *((*it, {}) for it in rows(INVALID_HEADERS)),
        *((expected, {}, claims) for expected, claims in rows(INVALID_CLAIMS)),
    ],
)
def test_each_member_of_header_and_claims_is_checked(
    expected: str | None, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    found = reason(header, claims)
    assert found is None if expected is None else expected in (found or "")


@pytest.mark.requirement("CA06")
def test_legacy_clients_may_also_name_the_token_endpoint() -> None:
    valid: list[Any] = [ISSUER, TOKEN_ENDPOINT, [ISSUER, TOKEN_ENDPOINT]]
    others: list[Any] = [[TOKEN_ENDPOINT, "https://other.example"], "https://other.example", []]

    assert [it for it in valid + others if reason({}, {"aud": it}, assertion_audience="legacy") is None] == valid


@pytest.mark.parametrize(("claims", "claimed"), [({"sub": "web"}, "web"), ({}, ""), ({"sub": 5}, "")])
def test_the_client_is_named_by_sub(claims: dict[str, Any], claimed: str) -> None:
    assert claimed_client_id(claims) == claimed
