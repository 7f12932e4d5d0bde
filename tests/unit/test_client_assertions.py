"""Client assertions: everything but the signature."""

from typing import Any

import pytest

from jeton.oauth.client_assertions import AssertionAudiences, assertion_rejection_reason, claimed_client_id
from support.builders import NOW, client

ISSUER, TOKEN_ENDPOINT = "https://id.example", "https://id.example/oauth/token"
AUDIENCES = AssertionAudiences(ISSUER, TOKEN_ENDPOINT)
HEADER = {"alg": "ES256", "kid": "1"}
CLAIMS = {"iss": "web", "sub": "web", "aud": ISSUER, "exp": NOW + 60, "jti": "j"}


def reason(header: dict[str, Any], claims: dict[str, Any], **fields: Any) -> str | None:
    def given(members: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in members.items() if value is not ...}

    return assertion_rejection_reason(given(HEADER | header), given(CLAIMS | claims), client(**fields), AUDIENCES, NOW)


@pytest.mark.requirement("CA01", "CA02", "CA04", "CA05")
@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({}, {}),
        ({"kid": ...}, {}),
        ({"alg": "PS256"}, {"aud": [ISSUER]}),
        ({"typ": "client-authentication+jwt"}, {}),
        ({"typ": "application/Client-Authentication+jwt"}, {}),
        ({"typ": "JWT"}, {}),
        # They are not looked at.
        ({"jku": "https://evil.example", "x5u": "https://evil.example", "jwk": {}}, {"extra": 1}),
        ({}, {"iat": NOW + 10, "nbf": NOW + 10}),
        ({}, {"iat": NOW - 3600}),
        ({}, {"exp": NOW + 1}),
        ({}, {"exp": NOW + 0.5}),
        ({}, {"exp": NOW + 600}),
    ],
)
def test_valid_assertions(header: dict[str, Any], claims: dict[str, Any]) -> None:
    assert reason(header, claims) is None


@pytest.mark.requirement("CA01", "CA02", "CA03", "CA04", "CA05", "PA12")
@pytest.mark.parametrize(
    ("header", "claims", "expected"),
    [
        ({"alg": "none"}, {}, "header"),
        ({"alg": "HS256"}, {}, "header"),
        ({"alg": ...}, {}, "header"),
        ({"alg": ["ES256"]}, {}, "header"),
        ({"kid": 1}, {}, "header"),
        ({"crit": ["b64"], "b64": False}, {}, "header"),
        *(({"typ": typ}, {}, "type") for typ in ("at+jwt", "dpop+jwt", "logout+jwt", "oauth-authz-req+jwt", "", 1)),
        ({}, {"iss": "other"}, "another_client"),
        ({}, {"sub": "other"}, "another_client"),
        ({}, {"iss": ...}, "another_client"),
        ({}, {"sub": ["web"]}, "another_client"),
        ({}, {"aud": ...}, "audience"),
        ({}, {"aud": TOKEN_ENDPOINT}, "audience"),
        ({}, {"aud": "https://id.example/oauth/par"}, "audience"),
        ({}, {"aud": "https://id.example/oauth/introspect"}, "audience"),
        ({}, {"aud": ISSUER + "/"}, "audience"),
        ({}, {"aud": []}, "audience"),
        ({}, {"aud": [ISSUER, "https://other.example"]}, "audience"),
        ({}, {"aud": [ISSUER, TOKEN_ENDPOINT]}, "audience"),
        ({}, {"aud": {"0": ISSUER}}, "audience"),
        ({}, {"jti": ...}, "jti"),
        ({}, {"jti": ""}, "jti"),
        ({}, {"jti": 5}, "jti"),
        ({}, {"exp": ...}, "time"),
        ({}, {"exp": "1"}, "time"),
        ({}, {"exp": True}, "time"),
        ({}, {"exp": float("inf")}, "time"),
        ({}, {"exp": 10**400}, "time"),  # no float is as large
        ({}, {"nbf": -(10**400)}, "time"),
        ({}, {"nbf": None}, "time"),
        ({}, {"iat": "1"}, "time"),
        ({}, {"exp": NOW}, "expired"),
        ({}, {"exp": NOW + 601}, "too_long"),
        ({}, {"nbf": NOW + 11}, "future"),
        ({}, {"iat": NOW + 61}, "future"),
    ],
)
def test_invalid_assertions(header: dict[str, Any], claims: dict[str, Any], expected: str) -> None:
    assert expected in (reason(header, claims) or "")


@pytest.mark.requirement("CA06")
@pytest.mark.parametrize(
    ("audience", "accepted"),
    [
        (ISSUER, True),
        (TOKEN_ENDPOINT, True),
        ([ISSUER, TOKEN_ENDPOINT], True),
        ([TOKEN_ENDPOINT, "https://other.example"], False),
        ("https://other.example", False),
        ([], False),
    ],
)
def test_legacy_clients_may_also_name_the_token_endpoint(audience: Any, accepted: bool) -> None:
    assert (reason({}, {"aud": audience}, assertion_audience="legacy") is None) is accepted


@pytest.mark.parametrize(("claims", "claimed"), [({"sub": "web"}, "web"), ({}, ""), ({"sub": 5}, "")])
def test_the_client_is_named_by_sub(claims: dict[str, Any], claimed: str) -> None:
    assert claimed_client_id(claims) == claimed
