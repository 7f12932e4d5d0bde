"""RFC 6749 section 5.2: every error code with its status, in words that tell nothing and repeat nobody's."""

import re
from typing import Any

import httpx2
import pytest

from jeton.storage.database import StorageUnavailableError
from support.in_process_server import PASSWORD, SESSIONS, App, Running

MARK = "m4rk<>'&\"\\é\u2028"
LOGIN = {"grant_type": "password", "username": "alice", "password": PASSWORD}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """How an error is written is none of the database's business: one kind will do."""
    return sqlite_url


@pytest.fixture
def app(jeton: Running) -> App:
    jeton.add_user()
    return jeton.add_client(grant_types=SESSIONS)


ERRORS: list[Any] = [
    pytest.param({"scope": "read"}, 400, "invalid_request", id="no grant type"),
    pytest.param({"grant_type": "password"}, 400, "invalid_request", id="no user name"),
    pytest.param(LOGIN | {"client_secret": "x"}, 400, "invalid_request", id="two methods"),
    pytest.param(LOGIN | {"password": "wrong"}, 400, "invalid_grant", id="wrong password"),
    pytest.param({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant", id="no refresh token"),
    pytest.param({"grant_type": "client_credentials"}, 400, "unauthorized_client", id="grant not given"),
    pytest.param({"grant_type": "magic"}, 400, "unsupported_grant_type", id="unknown grant"),
    pytest.param({"grant_type": "Password"}, 400, "unsupported_grant_type", id="another case"),
    pytest.param({"grant_type": "password "}, 400, "unsupported_grant_type", id="space after"),
    pytest.param({"grant_type": "authorization_code"}, 400, "unauthorized_client", id="code grant not given"),
    pytest.param({"grant_type": "implicit"}, 400, "unsupported_grant_type", id="no implicit grant"),
    pytest.param({"grant_type": "urn:example:grant"}, 400, "unsupported_grant_type", id="unknown extension"),
    pytest.param({"grant_type": "__class__"}, 400, "unsupported_grant_type", id="a name of Python's"),
    pytest.param(LOGIN | {"scope": "admin"}, 400, "invalid_scope", id="scope too wide"),
    pytest.param(LOGIN | {"scope": '"'}, 400, "invalid_scope", id="scope malformed"),
]


@pytest.mark.requirement("A31", "A35", "A36", "A38", "A39")
@pytest.mark.parametrize(("form", "status", "error"), ERRORS)
async def test_each_fault_has_its_code_and_status(
    jeton: Running, app: App, form: dict[str, str], status: int, error: str
) -> None:
    response = await jeton.token(app, None, **form)

    assert (response.status_code, response.json()["error"]) == (status, error)
    assert response.json().keys() == {"error", "error_description"}
    assert response.headers["content-type"] == "application/json"


@pytest.mark.requirement("A37")
@pytest.mark.parametrize("form", [LOGIN, LOGIN | {"client_id": "nobody"}, {"client_id": "web"}, {"a": "b"}])
async def test_who_is_not_authenticated_hears_nothing_else(jeton: Running, app: App, form: dict[str, str]) -> None:
    response = await jeton.token(None, None, **form)

    assert app.client_id == "web"
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert response.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.requirement("A37", "A39")
async def test_an_unknown_client_does_not_learn_which_grants_there_are(jeton: Running, app: App) -> None:
    answers = [
        await jeton.token(None, client_id=app.client_id, client_secret="wrong", grant_type=grant_type)
        for grant_type in ("password", "client_credentials", "magic")
    ]

    assert len({answer.content for answer in answers}) == 1


@pytest.mark.requirement("A40")
@pytest.mark.parametrize(("form", "status", "error"), ERRORS)
async def test_descriptions_are_printable_ascii_without_quote_and_backslash(
    jeton: Running, app: App, form: dict[str, str], status: int, error: str
) -> None:
    members = (await jeton.token(app, None, **form)).json()

    for text in members.values():
        assert re.fullmatch(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+", text)


@pytest.mark.requirement("A40", "A54")
@pytest.mark.parametrize("name", ["grant_type", "username", "password", "refresh_token", "scope", "client_id", MARK])
@pytest.mark.parametrize("grant_type", ["password", "refresh_token", "magic"])
async def test_nothing_of_the_request_is_repeated(jeton: Running, app: App, name: str, grant_type: str) -> None:
    form = {"grant_type": grant_type, "username": "alice", "password": "wrong", "refresh_token": "x"} | {name: MARK}

    response = await jeton.token(app, None, **form)

    assert response.status_code in (400, 401)
    assert "m4rk" not in response.text + str(response.headers.multi_items())


@pytest.mark.requirement("A40", "A54")
async def test_nothing_of_the_headers_is_repeated(jeton: Running, app: App) -> None:
    headers = {
        "User-Agent": "m4rk",
        "Origin": "https://m4rk.example",
        "Idempotency-Key": "m4rk" * 100,
        "X-Forwarded-For": "m4rk",
        "Authorization": "m4rk",
    }

    response = await jeton.http.post("/oauth/token", data=LOGIN, headers=headers)

    assert response.status_code == 400
    assert "m4rk" not in response.text + str(response.headers.multi_items())


@pytest.mark.requirement("A38", "N15")
async def test_one_code_has_one_sentence(jeton: Running, app: App) -> None:
    other = jeton.add_client("other")
    tokens = await jeton.log_in(app)
    answers = [
        await jeton.token(app, None, **LOGIN | {"password": "wrong"}),
        await jeton.token(app, None, **LOGIN | {"username": "nobody"}),
        await jeton.refresh(app, "x"),
        await jeton.refresh(other, tokens["refresh_token"]),
    ]
    jeton.clock.advance(1209600)
    answers.append(await jeton.refresh(app, tokens["refresh_token"]))

    assert [answer.json()["error"] for answer in answers] == ["invalid_grant"] * 5
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.requirement("O19")
async def test_a_failure_of_our_own_is_500_and_tells_nothing(
    jeton: Running, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> str:
        raise RuntimeError("m4rk")

    monkeypatch.setattr(jeton.keyring.signer, "sign", fail)
    response = await jeton.token(app, None, **LOGIN)

    assert_is_our_failure(response, 500, "server_error")


@pytest.mark.requirement("O19", "O20")
async def test_a_database_that_is_away_is_503_and_worth_another_try(
    jeton: Running, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: object) -> None:
        raise StorageUnavailableError("m4rk")

    monkeypatch.setattr(jeton.ledger, "enter", away)
    response = await jeton.token(app, None, **LOGIN)

    assert_is_our_failure(response, 503, "temporarily_unavailable")
    assert int(response.headers["retry-after"]) > 0


def assert_is_our_failure(response: httpx2.Response, status: int, error: str) -> None:
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert "m4rk" not in response.text
    assert response.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+", response.json()["error_description"])
