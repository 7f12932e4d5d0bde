"""Introspection rules (RFC 7662 section 2.2): when a token is active, who may know, and the response."""

from dataclasses import replace
from typing import Any

import pytest

from jeton.oauth.clients import Client
from jeton.oauth.introspection_rules import INACTIVE, TokenContext, introspect_access_token, introspect_refresh_token
from jeton.oauth.sessions import Family
from jeton.oauth.users import User

NOW = 1_000_000
API = "https://api.example"
GRANTS = frozenset({"password", "refresh_token", "client_credentials"})
CLIENT = Client("web", False, NOW - 5000, grant_types=GRANTS, scope=frozenset({"read", "write"}))
SERVER = Client("orders", False, 0, introspect=True, audience=(API,))
USER = User("u_1", "alice", "alice@example.com", ("admin",), False, 0, 1)
FAMILY = Family(
    sid="session",
    client_id="web",
    sub="u_1",
    scope=frozenset({"read", "write"}),
    audience=(API,),
    auth_time=NOW - 500,
    amr=("pwd",),
    created_at=NOW - 500,
    rotated_at=NOW - 50,
    idle_expires_at=NOW + 100,
    absolute_expires_at=NOW + 1000,
    master_key_id="0" * 8,
    secret=b"secret",
    generation=5,
)
CLAIMS: dict[str, Any] = {
    "iss": "https://as.example",
    "sub": "u_1",
    "aud": API,
    "exp": NOW + 60,
    "iat": NOW - 50,
    "jti": "id",
    "client_id": "web",
    "scope": "read write",
    "sid": "session",
    "auth_time": NOW - 500,
    "amr": ["pwd"],
    "roles": ["admin"],
}
ALONE = {name: CLAIMS[name] for name in ("iss", "aud", "exp", "iat", "jti", "client_id", "scope")} | {"sub": "web"}
FACTS = TokenContext(CLIENT, USER, FAMILY, token_is_revoked=False)


def access(
    claims: dict[str, Any] = CLAIMS,
    facts: TokenContext = FACTS,
    caller: Client = SERVER,
    audience: tuple[str, ...] = (API,),
) -> dict[str, Any]:
    return dict(introspect_access_token(claims, facts, caller, audience, NOW))


@pytest.mark.requirement("D03", "D05", "D06", "D10")
@pytest.mark.parametrize("caller", [CLIENT, SERVER], ids=["owner", "resource server"])
def test_live_access_token_is_active_with_its_claims(caller: Client) -> None:
    assert access(caller=caller) == {"active": True, "token_type": "Bearer"} | CLAIMS


@pytest.mark.requirement("D05")
def test_client_credentials_token_is_active_without_user_and_session() -> None:
    facts = TokenContext(CLIENT, None, None, token_is_revoked=False)

    assert access(ALONE, facts) == {"active": True, "token_type": "Bearer"} | ALONE


@pytest.mark.requirement("D04", "D08")
@pytest.mark.parametrize(
    ("aud", "caller", "audience", "known"),
    [
        pytest.param(API, SERVER, (API,), True, id="its audience"),
        pytest.param([API, "https://b"], SERVER, (API,), True, id="one of its audiences"),
        pytest.param([API, "https://b"], SERVER, ("https://c", "https://b"), True, id="several on both sides"),
        pytest.param("https://b", SERVER, (API,), False, id="another audience"),
        pytest.param(API + "/", SERVER, (API,), False, id="an audience that is almost the same"),
        pytest.param([], SERVER, (API,), False, id="no audience at all"),
        pytest.param(API, replace(SERVER, introspect=False), (API,), False, id="no right to introspect"),
        pytest.param(API, replace(SERVER, client_id="web2"), (API,), True, id="a right of its own"),
        pytest.param("https://b", CLIENT, (API,), True, id="the owner, whatever the audience"),
    ],
)
def test_only_owner_and_audience_see_an_active_token(
    aud: object, caller: Client, audience: tuple[str, ...], known: bool
) -> None:
    answer = access(CLAIMS | {"aud": aud}, caller=caller, audience=audience)

    assert answer["active"] is known
    assert known or answer == {"active": False}


def with_user(**changes: Any) -> TokenContext:
    return replace(FACTS, user=replace(USER, **changes))


def with_client(**changes: Any) -> TokenContext:
    return replace(FACTS, client=replace(CLIENT, **changes))


def with_family(**changes: Any) -> TokenContext:
    return replace(FACTS, family=replace(FAMILY, **changes))


DEAD = [
    pytest.param({"exp": NOW}, FACTS, id="expired this second"),
    pytest.param({"exp": NOW - 1}, FACTS, id="expired"),
    pytest.param({}, replace(FACTS, token_is_revoked=True), id="ended"),
    pytest.param({}, replace(FACTS, client=None), id="client gone"),
    pytest.param({}, with_client(disabled=True), id="client disabled"),
    pytest.param({"iat": NOW - 50}, with_client(created_at=NOW - 49), id="client registered again since"),
    pytest.param({}, with_client(scope=frozenset({"other"})), id="all of its scope taken away"),
    pytest.param({}, replace(FACTS, user=None), id="user gone"),
    pytest.param({}, with_user(disabled=True), id="user disabled"),
    pytest.param({}, replace(FACTS, family=None), id="session gone"),
    pytest.param({}, with_family(revoked_at=NOW - 1), id="session ended"),
    pytest.param({}, with_family(absolute_expires_at=NOW), id="session expired"),
]


@pytest.mark.requirement("C05", "D04", "D05", "D08", "O03")
@pytest.mark.parametrize("caller", [CLIENT, SERVER], ids=["owner", "resource server"])
@pytest.mark.parametrize(("claims", "facts"), DEAD)
def test_token_is_inactive_if_client_user_session_or_key_is(
    claims: dict[str, Any], facts: TokenContext, caller: Client
) -> None:
    assert access(CLAIMS | claims, facts, caller) == {"active": False}


@pytest.mark.requirement("D05")
def test_client_credentials_token_ends_with_its_grant() -> None:
    facts = TokenContext(replace(CLIENT, grant_types=frozenset({"password"})), None, None, token_is_revoked=False)

    assert access(ALONE, facts) == {"active": False}


@pytest.mark.requirement("D05")
@pytest.mark.parametrize(
    ("claims", "facts"),
    [
        pytest.param({"exp": NOW + 1}, FACTS, id="its last second"),
        pytest.param({"iat": NOW - 50}, with_client(created_at=NOW - 50), id="client as old as the token"),
        pytest.param({}, with_family(idle_expires_at=NOW), id="an idle session: the token is not refreshed by use"),
        pytest.param({}, with_family(generation=9), id="refreshed since"),
    ],
)
def test_token_stays_active_while_its_context_is_live(claims: dict[str, Any], facts: TokenContext) -> None:
    assert access(CLAIMS | claims, facts)["active"] is True


@pytest.mark.requirement("D08", "I07")
def test_scope_that_the_client_lost_is_omitted() -> None:
    assert access(facts=with_client(scope=frozenset({"read"})))["scope"] == "read"


@pytest.mark.requirement("D10", "G09")
def test_username_is_included_only_if_the_token_contains_it() -> None:
    named = access(CLAIMS | {"preferred_username": "alice"})

    assert (named["username"], named["preferred_username"]) == ("alice", "alice")
    assert not {"username", "preferred_username", "email"} & access().keys()


@pytest.mark.requirement("D10")
def test_unknown_claims_are_omitted() -> None:
    assert "secret" not in access(CLAIMS | {"secret": "x"})


def refresh(
    family: Family = FAMILY, generation: int = 5, facts: TokenContext = FACTS, caller: Client = CLIENT
) -> dict[str, Any]:
    return dict(introspect_refresh_token(family, generation, facts, caller, "https://as.example", NOW))


@pytest.mark.requirement("D05", "D06")
@pytest.mark.parametrize("generation", [5, 6], ids=["current", "ahead of the row"])
def test_a_live_refresh_token_is_active_for_its_owner(generation: int) -> None:
    assert refresh(generation=generation) == {
        "active": True,
        "token_type": "N_A",
        "issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token",
        "iss": "https://as.example",
        "sub": "u_1",
        "client_id": "web",
        "iat": NOW - 50,
        "exp": NOW + 100,
        "sid": "session",
        "scope": "read write",
    }


@pytest.mark.requirement("A45", "D04")
def test_refresh_token_is_inactive_for_other_clients() -> None:
    assert refresh(caller=SERVER) == {"active": False}


@pytest.mark.requirement("D04", "D08", "O02", "O03")
@pytest.mark.parametrize(
    ("family", "generation", "facts"),
    [
        pytest.param(FAMILY, 4, FACTS, id="spent"),
        pytest.param(FAMILY, 0, FACTS, id="long spent"),
        pytest.param(FAMILY.revoked("x", NOW - 1), 5, FACTS, id="revoked"),
        pytest.param(replace(FAMILY, idle_expires_at=NOW), 5, FACTS, id="idle too long"),
        pytest.param(replace(FAMILY, absolute_expires_at=NOW), 5, FACTS, id="expired"),
        pytest.param(FAMILY, 5, replace(FACTS, client=None), id="client gone"),
        pytest.param(FAMILY, 5, with_client(disabled=True), id="client disabled"),
        pytest.param(FAMILY, 5, with_client(grant_types=frozenset({"password"})), id="grant taken away"),
        pytest.param(FAMILY, 5, with_client(scope=frozenset({"other"})), id="all of its scope taken away"),
        pytest.param(FAMILY, 5, replace(FACTS, user=None), id="user gone"),
        pytest.param(FAMILY, 5, with_user(disabled=True), id="user disabled"),
    ],
)
def test_a_refresh_token_that_would_be_refused_is_inactive(
    family: Family, generation: int, facts: TokenContext
) -> None:
    assert refresh(family, generation, facts) == {"active": False}


@pytest.mark.requirement("D05")
def test_a_refresh_token_without_scope_is_active_without_scope() -> None:
    assert "scope" not in refresh(replace(FAMILY, scope=frozenset()))
    assert refresh(replace(FAMILY, scope=frozenset()))["active"] is True


@pytest.mark.requirement("D06", "O02")
def test_refresh_token_exp_is_the_earlier_of_idle_and_absolute_end() -> None:
    assert refresh(replace(FAMILY, absolute_expires_at=NOW + 50))["exp"] == NOW + 50


@pytest.mark.requirement("D04")
def test_inactive_response_has_no_other_members() -> None:
    assert INACTIVE == {"active": False}
