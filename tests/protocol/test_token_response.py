"""RFC 6749 section 5.1: the successful answer, and the headers of every answer that could hold a token."""

from typing import Any

import httpx2
import pytest

from support.in_process_server import PASSWORD, Running


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """How an answer is written is none of the database's business: one kind will do."""
    return sqlite_url


async def answers(jeton: Running) -> dict[str, httpx2.Response]:
    """One answer of each kind that the token endpoint gives."""
    app = jeton.add_client()
    jeton.add_user()
    login = {"grant_type": "password", "username": "alice", "password": PASSWORD}
    tokens = await jeton.log_in(app)
    return {
        "login": await jeton.token(app, None, **login),
        "refresh": await jeton.refresh(app, tokens["refresh_token"]),
        "client credentials": await jeton.token(app, grant_type="client_credentials"),
        "invalid_request": await jeton.token(app, scope="read"),
        "invalid_client": await jeton.token(None, None, **login),
        "invalid_grant": await jeton.token(app, None, **login | {"password": "wrong"}),
        "unsupported_grant_type": await jeton.token(app, grant_type="x"),
        "invalid_scope": await jeton.token(app, grant_type="client_credentials", scope="admin"),
        "too large": await jeton.token(app, grant_type="x" * 40000),
        "not a form": await jeton.http.post("/oauth/token", json={}),
        "another method": await jeton.http.get("/oauth/token"),
    }


@pytest.mark.requirement("A33", "A45")
async def test_no_answer_may_be_cached(jeton: Running) -> None:
    for name, answer in (await answers(jeton)).items():
        assert answer.headers["cache-control"] == "no-store", name
        assert answer.headers["pragma"] == "no-cache", name


@pytest.mark.requirement("A32", "A35")
async def test_every_answer_is_a_json_object(jeton: Running) -> None:
    for name, answer in (await answers(jeton)).items():
        assert answer.headers["content-type"] == "application/json", name
        assert isinstance(answer.json(), dict), name
        assert len(answer.content) == int(answer.headers["content-length"]), name


@pytest.mark.requirement("A15", "A32")
@pytest.mark.parametrize("kind", ["login", "refresh", "client credentials"])
async def test_a_successful_answer_holds_each_member_once(jeton: Running, kind: str) -> None:
    answer = (await answers(jeton))[kind]
    members = answer.json()

    assert answer.status_code == 200
    assert answer.text.count('":') == len(members)
    assert members.keys() - {"refresh_token"} == {"access_token", "token_type", "expires_in", "scope"}
    assert ("refresh_token" in members) is (kind != "client credentials")


@pytest.mark.requirement("A32")
async def test_the_members_have_the_types_of_the_rfc(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()

    tokens = await jeton.log_in(app)

    assert {name: type(value) for name, value in tokens.items()} == {
        "access_token": str,
        "token_type": str,
        "expires_in": int,
        "refresh_token": str,
        "scope": str,
    }
    assert tokens["token_type"] == "Bearer"


@pytest.mark.requirement("A32")
@pytest.mark.parametrize(
    ("lifetimes", "expected"),
    [({}, 600), ({"access_seconds": 30}, 30), ({"access_seconds": 900, "refresh_absolute_seconds": 60}, 60)],
    ids=["default", "the client's own", "the session ends sooner"],
)
async def test_expires_in_is_the_life_of_the_access_token(
    jeton: Running, lifetimes: dict[str, Any], expected: int
) -> None:
    app = jeton.add_client(lifetimes=lifetimes)
    jeton.add_user()

    tokens = await jeton.log_in(app)

    assert tokens["expires_in"] == expected
    jeton.clock.advance(expected - 1)
    assert (await jeton.introspect(app, tokens["access_token"]))["active"] is True
    jeton.clock.advance(1)
    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}


@pytest.mark.requirement("A50")
async def test_tokens_travel_in_the_body_only(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    login = {"grant_type": "password", "username": "alice", "password": PASSWORD}

    answer = await jeton.token(app, None, **login)

    headers = str(answer.headers.multi_items())
    assert answer.json()["refresh_token"] not in headers
    assert answer.json()["access_token"] not in headers
    assert "set-cookie" not in answer.headers
