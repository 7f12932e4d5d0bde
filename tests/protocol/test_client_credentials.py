"""RFC 6749 section 4.4: a client in its own name."""

import jwt
import pytest

from support.in_process_server import SESSIONS, App, Running


async def claims_of(jeton: Running, app: App, **more: str) -> dict[str, object]:
    response = await jeton.token(app, None, grant_type="client_credentials", **more)
    assert response.status_code == 200, response.text
    return dict(jwt.decode(response.json()["access_token"], options={"verify_signature": False}))


@pytest.mark.requirement("A25", "A26", "A32")
async def test_a_client_gets_an_access_token_and_no_refresh_token(jeton: Running) -> None:
    response = await jeton.token(jeton.add_client(), grant_type="client_credentials")

    assert response.status_code == 200
    assert response.json().keys() == {"access_token", "token_type", "expires_in", "scope"}


@pytest.mark.requirement("G03")
async def test_the_subject_is_the_client_and_there_is_no_session(jeton: Running) -> None:
    app = jeton.add_client(claims=frozenset({"preferred_username", "email"}))

    claims = await claims_of(jeton, app)

    assert claims.keys() == {"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "status"}
    assert (claims["sub"], claims["client_id"]) == ("web", "web")


@pytest.mark.requirement("A25", "A39")
async def test_a_public_client_may_not_even_if_it_was_given_the_grant(jeton: Running) -> None:
    app = jeton.add_client("spa", public=True, grant_types=SESSIONS | {"client_credentials"})

    response = await jeton.token(app, grant_type="client_credentials")

    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")


@pytest.mark.requirement("A39", "O07")
async def test_a_client_that_was_not_given_the_grant_may_not_use_it(jeton: Running) -> None:
    app = jeton.add_client(grant_types=SESSIONS)

    response = await jeton.token(app, grant_type="client_credentials")

    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")


@pytest.mark.requirement("A14", "G03")
async def test_a_user_s_name_in_the_request_changes_nothing(jeton: Running) -> None:
    jeton.add_user()

    claims = await claims_of(jeton, jeton.add_client(), username="alice", password="x", sub="alice", refresh_token="x")

    assert claims["sub"] == "web"


@pytest.mark.requirement("F02", "G02")
async def test_two_tokens_of_the_same_second_have_different_ids(jeton: Running) -> None:
    app = jeton.add_client()

    first, second = await claims_of(jeton, app), await claims_of(jeton, app)

    assert (first["iat"], first["jti"] == second["jti"]) == (second["iat"], False)


@pytest.mark.requirement("G07", "I11")
async def test_the_audience_is_the_client_s_own(jeton: Running) -> None:
    one = jeton.add_client("one", audience=("https://a.example",))
    two = jeton.add_client("two", audience=("https://a.example", "https://b.example"))

    assert (await claims_of(jeton, one))["aud"] == "https://a.example"
    assert (await claims_of(jeton, two))["aud"] == ["https://a.example", "https://b.example"]


@pytest.mark.requirement("I11")
async def test_the_lifetime_is_the_client_s_own(jeton: Running) -> None:
    app = jeton.add_client(lifetimes={"access_seconds": 30})

    claims = await claims_of(jeton, app)

    assert claims["exp"] == jeton.clock.now() + 30
