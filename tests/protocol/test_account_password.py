"""POST /account/password: people change their own password (NIST SP 800-63B-4, ASVS 6.2.2, 6.2.3, 7.4.3)."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from jeton.crypto.hashing_pool import HashingBusyError
from jeton.storage.database import StorageUnavailableError
from support.client_addresses import seen_from
from support.hash_counter import count_hashes
from support.in_process_server import PASSWORD, App, Running

StartServer = Callable[..., Awaitable[Running]]
NEW = "a sentence nobody else has ever typed"
WRONG = "a wrong password, and long"


@pytest.fixture
def app(jeton: Running) -> App:
    jeton.add_user()
    return jeton.add_client(scope=frozenset({"account"}))


async def change(
    jeton: Running, tokens: dict[str, Any], current: str = PASSWORD, new: str = NEW, **more: str
) -> httpx2.Response:
    form = {"current_password": current, "new_password": new, **more}
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return await jeton.http.post("/account/password", data=form, headers=headers)


async def can_log_in(jeton: Running, app: App, password: str) -> bool:
    answer = await jeton.token(app, None, grant_type="password", username="alice", password=password)
    return answer.status_code == 200


@pytest.mark.requirement("N05")
async def test_the_new_password_opens_the_account_and_the_old_one_no_more(jeton: Running, app: App) -> None:
    response = await change(jeton, await jeton.log_in(app))

    assert (response.status_code, response.json()) == (200, {"sessions_ended": 1})
    assert response.headers["cache-control"] == "no-store"
    assert [await can_log_in(jeton, app, it) for it in (PASSWORD, NEW)] == [False, True]


@pytest.mark.requirement("I09", "O03", "O04")
async def test_a_change_ends_every_session_and_every_token_of_the_user_and_nobody_else_s(
    jeton: Running, app: App
) -> None:
    jeton.add_user("bob")
    here, there, bobs = await jeton.log_in(app), await jeton.log_in(app), await jeton.log_in(app, "bob")

    assert (await change(jeton, here)).json() == {"sessions_ended": 2}

    for tokens in (here, there):
        assert (await jeton.refresh(app, tokens["refresh_token"])).json()["error"] == "invalid_grant"
        assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}
    assert await jeton.refreshed(app, bobs["refresh_token"])


@pytest.mark.requirement("I09", "O03", "O04")
async def test_a_change_spares_the_session_that_asks_where_the_user_wants_to_stay(jeton: Running, app: App) -> None:
    here, there = await jeton.log_in(app), await jeton.log_in(app)

    assert (await change(jeton, here, keep_current="true")).json() == {"sessions_ended": 1}

    assert await jeton.introspect(app, there["access_token"]) == {"active": False}
    assert (await jeton.introspect(app, here["access_token"]))["active"] is True
    assert await jeton.refreshed(app, here["refresh_token"])


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"current_password": ""}, "The parameter current_password is missing."),
        ({"new_password": ""}, "The parameter new_password is missing."),
        ({"keep_current": "yes"}, "The parameter keep_current must be true or false."),
        ({"new_password": "too short"}, "The password must have at least 15 characters."),
        ({"new_password": "password" * 3}, "The password is a common one, or little more than that: choose another."),
        (
            {"new_password": "alice alice alice alice"},
            "The password is little more than the name of the user or of the service: choose another.",
        ),
    ],
)
@pytest.mark.requirement("N01", "N06")
async def test_a_request_that_cannot_be_done_is_refused_with_the_reason_and_changes_nothing(
    jeton: Running, app: App, parameters: dict[str, str], sentence: str
) -> None:
    tokens = await jeton.log_in(app)
    form = {"current_password": PASSWORD, "new_password": NEW, **parameters}

    response = await jeton.http.post(
        "/account/password", data=form, headers={"Authorization": f"Bearer {tokens['access_token']}"}
    )

    assert (response.status_code, response.json()) == (
        400,
        {"error": "invalid_request", "error_description": sentence},
    )
    assert await can_log_in(jeton, app, PASSWORD)
    assert await jeton.refreshed(app, tokens["refresh_token"])


@pytest.mark.requirement("A38", "N15")
async def test_a_wrong_current_password_changes_nothing(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)

    response = await change(jeton, tokens, WRONG)

    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    assert "www-authenticate" not in response.headers
    assert [await can_log_in(jeton, app, it) for it in (PASSWORD, NEW)] == [True, False]
    assert await jeton.refreshed(app, tokens["refresh_token"])


@pytest.mark.requirement("N07")
async def test_the_new_password_is_normalised_as_at_a_login(jeton: Running, app: App) -> None:
    decomposed, composed = "e\u0301" + NEW, "\u00e9" + NEW

    assert (await change(jeton, await jeton.log_in(app), new=decomposed)).status_code == 200

    assert await can_log_in(jeton, app, composed)


# Guessing: a stolen access token is no way around the limits.


@pytest.mark.requirement("A24", "A52", "N10")
async def test_guesses_at_the_current_password_have_a_limit_that_failed_logins_do_not_fill(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="6", LIMITS__KNOWN_SOURCE_SECONDS="0")
    jeton.add_user()
    app = jeton.add_client(scope=frozenset({"account"}))
    tokens = await jeton.log_in(app)
    checks = count_hashes(jeton, monkeypatch)
    abroad = seen_from(jeton, "198.51.100.7")
    for _ in range(10):
        await can_log_in(abroad, app, WRONG)
    assert len(checks) == 6

    answers = []
    for _ in range(5):
        answers += await asyncio.gather(*(change(jeton, tokens, WRONG) for _ in range(4)))
    right = await change(jeton, tokens)

    assert len(checks) == 12
    assert Counter((it.status_code, it.json()["error"]) for it in [*answers, right]) == {(400, "invalid_grant"): 21}
    assert right.content == answers[0].content
    assert [await can_log_in(jeton, app, it) for it in (PASSWORD, NEW)] == [False, False]


@pytest.mark.requirement("A24", "O20")
async def test_an_address_that_guesses_is_told_when_to_come_again(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ADDRESS="3", LIMITS__KNOWN_SOURCE_SECONDS="0")
    jeton.add_user()
    app = jeton.add_client(scope=frozenset({"account"}))
    tokens = await jeton.log_in(app)

    answers = [await change(jeton, tokens, WRONG) for _ in range(4)]

    assert [it.status_code for it in answers] == [400, 400, 400, 429]
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_a_right_password_counts_nowhere(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ADDRESS="3", LIMITS__KNOWN_SOURCE_SECONDS="0")
    jeton.add_user()
    tokens = await jeton.log_in(jeton.add_client(scope=frozenset({"account"})))
    passwords = [PASSWORD, *(f"{NEW} {number}" for number in range(5))]

    for current, new in itertools.pairwise(passwords):
        assert (await change(jeton, tokens, current, new, keep_current="true")).status_code == 200


async def test_a_password_that_the_rules_refuse_costs_no_attempt(
    jeton: Running, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, checks = await jeton.log_in(app), count_hashes(jeton, monkeypatch)

    for _ in range(30):
        assert (await change(jeton, tokens, WRONG, "short")).json()["error"] == "invalid_request"

    assert checks == []
    assert (await change(jeton, tokens)).status_code == 200


@pytest.mark.requirement("O16", "O19")
@pytest.mark.parametrize("error", [HashingBusyError(), StorageUnavailableError("away")], ids=["gate full", "away"])
async def test_a_server_that_cannot_just_now_says_so_and_changes_nothing(
    jeton: Running, app: App, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    tokens, parts = await jeton.log_in(app), jeton.server.parts
    owner, name = (parts.hashing, "run") if isinstance(error, HashingBusyError) else (parts.ledger, "enter")

    async def fails(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fails)
        response = await change(jeton, tokens)

    assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")
    assert "retry-after" in response.headers
    assert await can_log_in(jeton, app, PASSWORD)


@pytest.mark.requirement("O16")
async def test_of_two_changes_at_once_one_is_made(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)

    answers = await asyncio.gather(*(change(jeton, tokens, new=f"{NEW} {number}") for number in range(4)))

    assert Counter(it.status_code for it in answers).get(200) == 1
    assert {it.status_code for it in answers} <= {200, 400, 401}
    winner = next(number for number, it in enumerate(answers) if it.status_code == 200)
    assert [await can_log_in(jeton, app, f"{NEW} {number}") for number in range(4)] == [
        number == winner for number in range(4)
    ]


@pytest.mark.requirement("A50", "O18")
async def test_the_log_says_what_was_changed_and_never_a_password(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    with capture_logs() as lines:
        await change(jeton, tokens, WRONG)
        await change(jeton, tokens)

    assert [it["event"] for it in lines] == ["request_refused", "password_changed"]
    assert lines[1]["sessions_ended"] == 1
    assert {"sub", "sid", "client_id", "ip"} <= lines[1].keys()
    assert not any(secret in str(lines) for secret in (PASSWORD, WRONG, NEW, tokens["access_token"]))
