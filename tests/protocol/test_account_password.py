"""POST /account/password: users change their own password (NIST SP 800-63B-4, ASVS 6.2.2, 6.2.3, 7.4.3)."""

import asyncio
import itertools
from collections import Counter
from unittest.mock import AsyncMock

import httpx2
import pytest
from structlog.testing import capture_logs

from jeton.crypto.hashing_pool import HashingBusyError
from jeton.storage.database import StorageUnavailableError
from support.client_addresses import from_address
from support.hash_counter import count_hashes
from support.in_process_server import PASSWORD, Running, StartServer
from support.sessions import Session, are_live, new_session

ACCOUNT = frozenset({"account"})
NEW = "a sentence nobody else has ever typed"
WRONG = "a wrong password, and long"


@pytest.fixture
async def session(jeton: Running) -> Session:
    return await new_session(jeton, scope=ACCOUNT)


async def change(
    jeton: Running, session: Session, current: str = PASSWORD, new: str = NEW, **more: str
) -> httpx2.Response:
    return await jeton.change_password(session.access, new, current, **more)


async def can_log_in(jeton: Running, session: Session, *passwords: str) -> list[bool]:
    """Return whether each of the passwords is accepted."""
    form = {"grant_type": "password", "username": session.user.username}
    return [(await jeton.token(session.app, None, **form, password=it)).status_code == 200 for it in passwords]


@pytest.mark.both_databases
@pytest.mark.requirement("A38", "N15")
async def test_wrong_current_password_changes_nothing(jeton: Running, session: Session) -> None:
    response = await change(jeton, session, WRONG)

    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    assert "www-authenticate" not in response.headers
    assert await can_log_in(jeton, session, PASSWORD, NEW) == [True, False]
    assert await are_live(jeton, session) == [True]


@pytest.mark.requirement("N01", "N06")
async def test_invalid_request_is_refused_with_the_reason_and_costs_no_attempt(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="1")
    session = await new_session(jeton, user=jeton.add_user("alice"), scope=ACCOUNT)
    checks = count_hashes(jeton, monkeypatch)
    for reason, parameters in {
        "current_password is missing": {"current": ""},
        "new_password is missing": {"new": ""},
        "keep_current must be": {"keep_current": "yes"},
        "at least 15 characters": {"new": "too short", "current": WRONG},
        "common": {"new": "password" * 3, "current": WRONG},
        "name of the user": {"new": "alice alice alice alice", "current": WRONG},
    }.items():
        response = await change(jeton, session, **parameters)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
        assert reason in response.json()["error_description"]

    assert checks == []
    changed = await change(jeton, session, keep_current="true")
    assert (changed.status_code, changed.json()) == (200, {"sessions_ended": 0})
    assert await are_live(jeton, session) == [True]


@pytest.mark.requirement("N07")
async def test_new_password_is_normalised_as_at_a_login(jeton: Running, session: Session) -> None:
    assert (await change(jeton, session, new="e\u0301" + NEW)).status_code == 200
    assert await can_log_in(jeton, session, "\u00e9" + NEW) == [True]


@pytest.mark.both_databases
@pytest.mark.requirement("A24", "A52", "N10")
async def test_guesses_at_the_current_password_have_a_limit_that_failed_logins_do_not_fill(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="6", LIMITS__KNOWN_SOURCE_SECONDS="0")
    session = await new_session(jeton, scope=ACCOUNT)
    checks = count_hashes(jeton, monkeypatch)
    await can_log_in(from_address(jeton, "198.51.100.7"), session, *[WRONG] * 10)
    assert len(checks) == 6

    answers = []
    for _ in range(5):
        answers += await asyncio.gather(*(change(jeton, session, WRONG) for _ in range(4)))
    right = await change(jeton, session)

    assert len(checks) == 12
    assert Counter((it.status_code, it.json()["error"]) for it in [*answers, right]) == {(400, "invalid_grant"): 21}
    assert right.content == answers[0].content
    assert await can_log_in(jeton, session, PASSWORD, NEW) == [False, False]


@pytest.mark.requirement("N10")
async def test_after_a_hundred_wrong_current_passwords_in_a_row_none_is_checked_any_more(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = {f"LIMITS__LOGIN_FAILURES_PER_{it}": "0" for it in ("ADDRESS", "CLIENT")}
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="99", TOKENS__ACCESS_SECONDS="86400", **failures)
    session = await new_session(jeton, scope=ACCOUNT)
    checks = count_hashes(jeton, monkeypatch)

    for number in range(103):
        assert (await change(jeton, session, WRONG)).status_code == 400
        jeton.clock.advance(3600 if number > 97 else 0)

    assert len(checks) == 100


@pytest.mark.requirement("A24", "O20")
async def test_guessing_address_gets_a_retry_time_and_right_passwords_do_not_count(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ADDRESS="3", LIMITS__KNOWN_SOURCE_SECONDS="0")
    session = await new_session(jeton, scope=ACCOUNT)
    for current, new in itertools.pairwise([PASSWORD, *(f"{NEW} {number}" for number in range(5))]):
        assert (await change(jeton, session, current, new, keep_current="true")).status_code == 200

    answers = [await change(jeton, session, WRONG) for _ in range(4)]

    assert [it.status_code for it in answers] == [400, 400, 400, 429]
    assert int(answers[-1].headers["retry-after"]) > 0


@pytest.mark.requirement("O16", "O19")
@pytest.mark.parametrize("error", [HashingBusyError(), StorageUnavailableError("away")], ids=["busy", "database away"])
async def test_temporary_failure_changes_nothing(
    jeton: Running, session: Session, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    owner, name = (jeton.hashing, "run") if isinstance(error, HashingBusyError) else (jeton.ledger, "enter")
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, AsyncMock(side_effect=error))
        response = await change(jeton, session)

    assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")
    assert "retry-after" in response.headers
    assert await can_log_in(jeton, session, PASSWORD) == [True]


@pytest.mark.both_databases
@pytest.mark.requirement("N05", "O16")
async def test_one_of_several_concurrent_changes_succeeds(jeton: Running, session: Session) -> None:
    choices = [f"{NEW} {number}" for number in range(4)]

    answers = await asyncio.gather(*(change(jeton, session, new=it) for it in choices))

    assert Counter(it.status_code for it in answers)[200] == 1
    assert {it.status_code for it in answers} <= {200, 400, 401}
    assert await can_log_in(jeton, session, *choices) == [it.status_code == 200 for it in answers]


@pytest.mark.requirement("A50", "O18")
async def test_change_is_logged_without_any_secret(jeton: Running, session: Session) -> None:
    with capture_logs() as lines:
        await change(jeton, session, WRONG)
        await change(jeton, session)

    assert [it["event"] for it in lines] == ["request_refused", "password_changed"]
    assert lines[1]["sessions_ended"] == 1
    assert {"sub", "sid", "client_id", "ip"} <= lines[1].keys()
    assert not any(secret in str(lines) for secret in (PASSWORD, WRONG, NEW, session.access))
