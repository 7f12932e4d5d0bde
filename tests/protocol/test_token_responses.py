"""Responses of the token endpoint: members, headers, error codes and descriptions (RFC 6749 sections 5.1 and 5.2)."""

import re
from uuid import uuid4

import httpx2
import pytest

from support.in_process_server import PASSWORD, SESSIONS, App, Running, shared_server
from support.responses import outcome, visible

LOGIN = {"grant_type": "password", "username": "alice", "password": PASSWORD}
REFRESH = {"grant_type": "refresh_token"}
jeton = shared_server("alice")


@pytest.fixture
def app(jeton: Running) -> App:
    return jeton.add_client(uuid4().hex)


# Success.


@pytest.mark.requirement("A15", "A32", "A33", "A45", "A50")
@pytest.mark.parametrize("grant_type", ["password", "refresh_token", "client_credentials"])
async def test_successful_answer_is_json_that_no_cache_keeps(jeton: Running, app: App, grant_type: str) -> None:
    form = LOGIN | {"grant_type": grant_type, "refresh_token": (await jeton.log_in(app))["refresh_token"]}

    answer = await jeton.token(app, None, **form)

    members, headers = answer.json(), str(answer.headers.multi_items())
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.text.count('":') == len(members)
    assert {name: type(value) for name, value in members.items() if name != "refresh_token"} == {
        "access_token": str,
        "token_type": str,
        "expires_in": int,
        "scope": str,
    }
    assert members["token_type"] == "Bearer"
    assert ("refresh_token" in members) is (grant_type != "client_credentials")
    assert members["access_token"] not in headers
    assert members.get("refresh_token", "set-cookie") not in headers


# Errors.

# A parameter that is missing is named.
ERRORS = [
    pytest.param({"scope": "read"}, "invalid_request grant_type", id="no grant type"),
    pytest.param({"grant_type": "password", "password": PASSWORD}, "invalid_request username", id="no user name"),
    pytest.param({"grant_type": "password", "username": "alice"}, "invalid_request password", id="no password"),
    pytest.param(LOGIN | {"password": ""}, "invalid_request password", id="empty password"),
    pytest.param(REFRESH, "invalid_request refresh_token", id="no refresh token"),
    pytest.param(LOGIN | {"client_secret": "x"}, "invalid_request", id="two methods"),
    pytest.param(LOGIN | {"password": "wrong"}, "invalid_grant", id="wrong password"),
    pytest.param(REFRESH | {"refresh_token": "x"}, "invalid_grant", id="malformed refresh token"),
    pytest.param({"grant_type": "client_credentials"}, "unauthorized_client", id="grant not given"),
    pytest.param({"grant_type": "authorization_code"}, "unauthorized_client", id="code grant not given"),
    pytest.param({"grant_type": "magic"}, "unsupported_grant_type", id="unknown grant"),
    pytest.param({"grant_type": "Password"}, "unsupported_grant_type", id="another case"),
    pytest.param({"grant_type": "__class__"}, "unsupported_grant_type", id="a name of Python's"),
    pytest.param(LOGIN | {"scope": '"'}, "invalid_scope", id="scope malformed"),
]
PRINTABLE = r"[\x20-\x21\x23-\x5B\x5D-\x7E]+"


def assert_is_error(response: httpx2.Response, status: int, error: str) -> None:
    """Check the form of an error, which is the same for all of them."""
    assert outcome(response) == (status, error)
    assert response.headers["content-type"] == "application/json"
    assert (response.headers["cache-control"], response.headers["pragma"]) == ("no-store", "no-cache")
    assert int(response.headers["content-length"]) == len(response.content)
    assert response.json().keys() == {"error", "error_description"}
    assert re.fullmatch(PRINTABLE, response.json()["error_description"])


@pytest.mark.requirement("A13", "A31", "A33", "A35", "A36", "A38", "A39", "A40", "A49", "O07")
@pytest.mark.parametrize(("form", "error"), ERRORS)
async def test_each_error_has_its_code(jeton: Running, form: dict[str, str], error: str) -> None:
    app, (code, _, named) = jeton.add_client(uuid4().hex, grant_types=SESSIONS), error.partition(" ")

    response = await jeton.token(app, None, **form)

    assert_is_error(response, 400, code)
    assert named in response.json()["error_description"]


@pytest.mark.requirement("A37", "A39")
@pytest.mark.parametrize(
    "form",
    [LOGIN, {"a": "b"}, *({"client_id": "web", "client_secret": "x", "grant_type": it} for it in ("password", "x"))],
    ids=["nobody", "nobody and no grant", "wrong secret", "wrong secret, unknown grant"],
)
async def test_unauthenticated_caller_learns_nothing_else(jeton: Running, form: dict[str, str]) -> None:
    response = await jeton.token(None, None, **form)

    assert_is_error(response, 401, "invalid_client")
    assert response.headers["www-authenticate"].startswith("Basic ")
    assert response.content == (await jeton.token(None, None, **LOGIN | {"client_id": "nobody"})).content


@pytest.mark.requirement("A38", "I08", "N15")
async def test_every_invalid_grant_looks_the_same(jeton: Running, app: App) -> None:
    other, ended, moving = [jeton.add_client(uuid4().hex) for _ in range(3)]
    current, spent, revoked = [(await jeton.log_in(it))["refresh_token"] for it in (app, moving, ended)]
    await jeton.refreshed(moving, spent)
    await jeton.revoke(ended, revoked)

    answers = {
        "wrong password": await jeton.token(app, None, **LOGIN | {"password": "wrong"}),
        "unknown user": await jeton.token(app, None, **LOGIN | {"username": "nobody"}),
        "malformed": await jeton.refresh(app, "x"),
        "unknown": await jeton.refresh(app, "jrt_" + "A" * 76),
        "of another client": await jeton.refresh(other, current),
        "revoked": await jeton.refresh(ended, revoked),
        "replay": await jeton.refresh(moving, spent),
        "replayed again": await jeton.refresh(moving, spent),
    }

    assert outcome(answers["malformed"]) == (400, "invalid_grant")
    assert {name: visible(it) for name, it in answers.items()} == dict.fromkeys(answers, visible(answers["malformed"]))


MARK = "m4rk<>'&\"\\é\u2028"


@pytest.mark.requirement("A40", "A54")
@pytest.mark.parametrize("name", ["grant_type", "username", "password", "refresh_token", "scope", "client_id", MARK])
@pytest.mark.parametrize("grant_type", ["password", "refresh_token", "magic"])
async def test_responses_repeat_nothing_of_the_request(jeton: Running, app: App, name: str, grant_type: str) -> None:
    form = {"grant_type": grant_type, "username": "nobody", "password": "wrong", "refresh_token": "x"} | {name: MARK}

    response = await jeton.token(app, None, **form)

    assert response.status_code in (400, 401)
    assert "m4rk" not in str(visible(response))


@pytest.mark.requirement("A40", "A54")
async def test_responses_repeat_nothing_of_the_headers(jeton: Running) -> None:
    names = ("User-Agent", "Origin", "Idempotency-Key", "X-Forwarded-For", "Authorization")
    headers = dict.fromkeys(names, "m4rk" * 100)

    response = await jeton.http.post("/oauth/token", data=LOGIN, headers=headers)

    assert response.status_code == 400
    assert "m4rk" not in str(visible(response))
