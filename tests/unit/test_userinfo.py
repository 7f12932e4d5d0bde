"""Claims about the user, by scope."""

import pytest

from jeton.oauth.userinfo import userinfo_claims
from jeton.oauth.users import User

PROFILE = {
    "name": "Alice Archer",
    "nickname": "",
    "locale": "de-AT",
    "phone_number": "+43 1 234",
    "phone_number_verified": False,
    "address": {"locality": "Vienna"},
    "favourite_colour": "green",
    "preferred_username": "somebody else",
    "email": "somebody@else.example",
}
KNOWN = {"preferred_username": "alice", "updated_at": 200}
ALICE = User("u_1", "alice", "alice@example.com", (), False, 100, 1, profile=PROFILE, updated_at=200)


@pytest.mark.requirement("OI42", "OI43", "OI44", "OI13")
def test_each_scope_covers_its_claims_and_nothing_else() -> None:
    claims: dict[str, dict[str, object]] = {
        "openid": {},
        "openid read": {},
        "openid profile": {"name": "Alice Archer", "locale": "de-AT"} | KNOWN,
        "openid email": {"email": "alice@example.com", "email_verified": False},
        "openid address": {"address": {"locality": "Vienna"}},
        "openid phone": {"phone_number": "+43 1 234", "phone_number_verified": False},
    }
    for scope, expected in claims.items():
        assert userinfo_claims(ALICE, frozenset(scope.split())) == {"sub": "u_1"} | expected


@pytest.mark.requirement("OI42", "OI44")
def test_unknown_claims_are_omitted() -> None:
    bob = User("u_2", "bob", None, (), False, 100, 1)

    assert userinfo_claims(bob, frozenset({"openid", "profile", "email", "address", "phone"})) == {
        "sub": "u_2",
        "preferred_username": "bob",
        "updated_at": 100,
    }
