"""Access token claims (RFC 9068 section 2.2) and the token response (RFC 6749 section 5.1)."""

from dataclasses import replace

import pytest

from jeton.oauth.claims import access_token_claims, token_response
from jeton.oauth.clients import Client
from jeton.oauth.decisions import Issue
from jeton.oauth.sessions import Family
from jeton.oauth.users import User

NOW = 1_000_000
CLIENT = Client("web", False, 0)
USER = User("u_1", "alice", "alice@example.com", ("admin", "staff"), False, 0, 1)
FAMILY = Family(
    sid="session",
    client_id="web",
    sub="u_1",
    scope=frozenset({"read", "write"}),
    audience=("https://api.example",),
    auth_time=NOW - 500,
    amr=("pwd",),
    created_at=NOW - 500,
    rotated_at=NOW,
    idle_expires_at=NOW + 100,
    absolute_expires_at=NOW + 1000,
    master_key_id="0" * 8,
    secret=b"secret",
)
ISSUE = Issue(CLIENT, frozenset({"write", "read"}), ("https://api.example",), NOW, "rotated", USER, FAMILY)
ALONE = Issue(CLIENT, frozenset({"read"}), ("https://api.example",), NOW, "issued")


def claims_of(issue: Issue, access_seconds: int = 600) -> dict[str, object]:
    return access_token_claims(issue, issuer="https://as.example", jti="id", access_seconds=access_seconds)


@pytest.mark.requirement("F02", "G02", "G04", "G05", "G06", "G09")
def test_user_token_has_exactly_the_expected_claims() -> None:
    assert claims_of(ISSUE) == {
        "iss": "https://as.example",
        "sub": "u_1",
        "aud": "https://api.example",
        "exp": NOW + 600,
        "iat": NOW,
        "jti": "id",
        "client_id": "web",
        "scope": "read write",
        "sid": "session",
        "auth_time": NOW - 500,
        "amr": ["pwd"],
        "roles": ["admin", "staff"],
    }


@pytest.mark.requirement("A26", "G02", "G03")
def test_client_credentials_token_has_exactly_the_expected_claims() -> None:
    assert claims_of(ALONE) == {
        "iss": "https://as.example",
        "sub": "web",
        "aud": "https://api.example",
        "exp": NOW + 600,
        "iat": NOW,
        "jti": "id",
        "client_id": "web",
        "scope": "read",
    }


@pytest.mark.requirement("F02", "G07")
def test_multiple_audiences_are_an_array() -> None:
    issue = replace(ISSUE, audience=("https://a.example", "https://b.example"))

    assert claims_of(issue)["aud"] == ["https://a.example", "https://b.example"]


@pytest.mark.requirement("A17")
def test_scope_claim_is_omitted_if_scope_is_empty() -> None:
    assert "scope" not in claims_of(replace(ALONE, scope=frozenset()))


@pytest.mark.requirement("O02")
@pytest.mark.parametrize(("left", "expected"), [(601, 600), (600, 600), (599, 599), (1, 1)])
def test_access_token_never_outlives_its_session(left: int, expected: int) -> None:
    issue = replace(ISSUE, family=replace(FAMILY, absolute_expires_at=NOW + left))

    assert claims_of(issue)["exp"] == NOW + expected


@pytest.mark.requirement("G09")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (set(), {}),
        ({"preferred_username"}, {"preferred_username": "alice"}),
        ({"email"}, {"email": "alice@example.com"}),
        ({"preferred_username", "email"}, {"preferred_username": "alice", "email": "alice@example.com"}),
    ],
    ids=["none", "username", "email", "both"],
)
def test_personal_data_is_included_only_for_clients_that_may_have_it(given: set[str], expected: dict[str, str]) -> None:
    claims = claims_of(replace(ISSUE, client=replace(CLIENT, claims=frozenset(given))))

    assert {name: claims[name] for name in ("preferred_username", "email") if name in claims} == expected


@pytest.mark.requirement("F02")
def test_email_claim_is_omitted_if_the_user_has_none() -> None:
    client, user = replace(CLIENT, claims=frozenset({"email"})), replace(USER, email=None)

    assert "email" not in claims_of(replace(ISSUE, client=client, user=user))


@pytest.mark.requirement("G09")
def test_client_credentials_token_has_no_personal_data() -> None:
    client = replace(CLIENT, claims=frozenset({"preferred_username", "email"}))

    assert not {"preferred_username", "email", "roles", "sid"} & claims_of(replace(ALONE, client=client)).keys()


@pytest.mark.requirement("A18", "A32")
def test_response_states_lifetime_and_scope() -> None:
    response = token_response(claims_of(ISSUE, access_seconds=60), "access", "refresh")

    assert response == {
        "access_token": "access",
        "token_type": "Bearer",
        "expires_in": 60,
        "refresh_token": "refresh",
        "scope": "read write",
    }


@pytest.mark.requirement("A26", "A32")
def test_members_that_do_not_apply_are_omitted_from_the_response() -> None:
    response = token_response(claims_of(replace(ALONE, scope=frozenset())), "access", None)

    assert response == {"access_token": "access", "token_type": "Bearer", "expires_in": 600}
