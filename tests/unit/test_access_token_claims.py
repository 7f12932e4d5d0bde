"""Access token claims (RFC 9068 section 2.2) and the token response (RFC 6749 section 5.1)."""

from typing import Any

import pytest

from jeton.frozen import replace
from jeton.oauth.access_token import access_token_claims, token_response
from jeton.oauth.decisions import Issue
from support.builders import API, NOW, READ, READ_WRITE, client, family, user

USER = user(email="alice@example.com", roles=("admin", "staff"))
OF_USER = Issue(client(), READ_WRITE, (API,), NOW, "rotated", USER, family(auth_time=NOW - 500))
OF_CLIENT = Issue(client(), READ, (API,), NOW, "issued")
COMMON: dict[str, Any] = {"iss": "https://as.example", "aud": API, "exp": NOW + 600, "iat": NOW}
USER_CLAIMS = COMMON | {
    "sub": "u_1",
    "client_id": "web",
    "scope": "read write",
    "sid": "session",
    "auth_time": NOW - 500,
    "amr": ["pwd"],
    "roles": ["admin", "staff"],
}
WITHOUT_SCOPE = {name: value for name, value in USER_CLAIMS.items() if name != "scope"}
CLIENT_CLAIMS = COMMON | {"sub": "web", "client_id": "web", "scope": "read"}
NAME, MAIL = {"preferred_username": "alice"}, {"email": "alice@example.com"}
TWO = (API, "https://b")


def claims_of(issue: Issue, access_seconds: int = 600) -> dict[str, object]:
    return access_token_claims(issue, issuer="https://as.example", access_seconds=access_seconds)


def of_user_for(*claims: str, **fields: Any) -> Issue:
    """Return the decision for a client that may have these claims about the user, whose fields may be changed."""
    return replace(OF_USER, client=client(claims=frozenset(claims)), user=replace(USER, **fields))


def ending_after(seconds: int) -> Issue:
    return replace(OF_USER, family=family(auth_time=NOW - 500, absolute_expires_at=NOW + seconds))


@pytest.mark.requirement("A17", "A26", "F02", "G02", "G03", "G04", "G05", "G06", "G07", "G09", "O02")
@pytest.mark.parametrize(
    ("issue", "expected"),
    [
        pytest.param(OF_USER, USER_CLAIMS, id="user"),
        pytest.param(replace(OF_USER, scope=frozenset()), WITHOUT_SCOPE, id="user, no scope"),
        pytest.param(OF_CLIENT, CLIENT_CLAIMS, id="client"),
        pytest.param(replace(OF_CLIENT, client=client(claims=frozenset({*NAME, *MAIL}))), CLIENT_CLAIMS, id="no user"),
        pytest.param(replace(OF_USER, audience=TWO), USER_CLAIMS | {"aud": [*TWO]}, id="audiences"),
        pytest.param(of_user_for(*NAME), USER_CLAIMS | NAME, id="client may have the username"),
        pytest.param(of_user_for(*MAIL), USER_CLAIMS | MAIL, id="client may have the e-mail address"),
        pytest.param(of_user_for(*NAME, *MAIL), USER_CLAIMS | NAME | MAIL, id="client may have both"),
        pytest.param(of_user_for(*MAIL, email=None), USER_CLAIMS, id="user without e-mail address"),
        *(
            pytest.param(ending_after(left), USER_CLAIMS | {"exp": NOW + lives}, id=f"session ends after {left} s")
            for left, lives in ((601, 600), (600, 600), (599, 599), (1, 1))
        ),
    ],
)
def test_token_has_exactly_the_expected_claims_and_never_outlives_its_session(
    issue: Issue, expected: dict[str, object]
) -> None:
    assert claims_of(issue) == expected


@pytest.mark.requirement("Q01")
def test_status_is_that_of_the_session_or_else_of_the_client() -> None:
    listed = client(status_index=3)
    of_session = replace(OF_USER, client=listed, family=family(status_index=7))
    without = (replace(OF_USER, client=listed), OF_CLIENT)
    for issue, index in ((of_session, 7), (replace(OF_CLIENT, client=listed), 3), *((it, None) for it in without)):
        claims = access_token_claims(issue, issuer="https://as.example", access_seconds=600, status_lists=True)
        status = None if index is None else {"idx": index, "uri": "https://as.example/oauth/status/0"}
        assert claims.get("status") == (status and {"status_list": status})
        assert "status" not in claims_of(issue)


@pytest.mark.requirement("A18", "A26", "A32")
def test_response_states_lifetime_and_scope_and_omits_what_does_not_apply() -> None:
    assert token_response(claims_of(OF_USER, access_seconds=60), "access", "refresh") == {
        "access_token": "access",
        "token_type": "Bearer",
        "expires_in": 60,
        "refresh_token": "refresh",
        "scope": "read write",
    }
    assert token_response(claims_of(replace(OF_CLIENT, scope=frozenset())), "access", None) == {
        "access_token": "access",
        "token_type": "Bearer",
        "expires_in": 600,
    }
