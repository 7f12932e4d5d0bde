"""Guesses at passwords are held back, exactly, and not so that the owner pays (RFC 6749 4.3.2, SP 800-63B-4 3.2.2)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import httpx2
import pytest
from structlog.testing import capture_logs

from jeton.crypto.hashing_pool import HashingBusyError
from jeton.login.concurrency import MAX_CONCURRENT, MAX_WAITING, LoginConcurrency
from support.client_addresses import seen_from
from support.hash_counter import count_hashes
from support.in_process_server import PASSWORD, App, Running

StartServer = Callable[..., Awaitable[Running]]
WRONG = "a wrong password, and long"
OWNER, STRANGER = "192.0.2.1", "198.51.100.7"
FREE = 4


@pytest.fixture
async def jeton(start: StartServer) -> Running:
    """Few free guesses per account; addresses and clients do not matter unless a test says so."""
    server = await start(
        LIMITS__LOGIN_FAILURES_PER_ACCOUNT=str(FREE),
        LIMITS__LOGIN_FAILURES_PER_ADDRESS="0",
        LIMITS__LOGIN_FAILURES_PER_CLIENT="0",
    )
    server.add_user()
    return server


@pytest.fixture
def hashes(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The stored hashes that a password was checked against."""
    return count_hashes(jeton, monkeypatch)


async def attempt(jeton: Running, app: App, username: str = "alice", password: str = WRONG) -> httpx2.Response:
    return await jeton.token(app, None, grant_type="password", username=username, password=password)


async def attempts(jeton: Running, app: App, count: int, username: str = "alice") -> Counter[tuple[int, str]]:
    """So many wrong passwords at once: how often each status and error was answered."""
    answers = await asyncio.gather(*(attempt(jeton, app, username) for _ in range(count)))
    return Counter((it.status_code, it.json()["error"]) for it in answers)


@pytest.mark.requirement("A24", "A52", "N10")
async def test_two_hundred_wrong_passwords_at_once_cost_as_many_hashes_as_are_free(
    jeton: Running, hashes: list[str | None]
) -> None:
    app = jeton.add_client()

    answers = await attempts(jeton, app, 200)

    assert len(hashes) == FREE
    assert answers == {(400, "invalid_grant"): 200}


async def test_names_that_nobody_bears_are_held_back_alike(jeton: Running, hashes: list[str | None]) -> None:
    app = jeton.add_client()

    answers = await attempts(jeton, app, 50, "nobody")

    assert len(hashes) == FREE
    assert answers == {(400, "invalid_grant"): 50}


@pytest.mark.requirement("N15")
async def test_who_is_held_back_by_the_account_sees_what_a_wrong_password_gets(jeton: Running) -> None:
    app = jeton.add_client()
    wrong = await attempt(jeton, app)
    await attempts(jeton, app, FREE)

    held_back = await attempt(jeton, app, password=PASSWORD)

    assert (held_back.status_code, held_back.headers, held_back.content) == (400, wrong.headers, wrong.content)


async def test_all_names_of_an_account_lead_to_one_bucket(jeton: Running, hashes: list[str | None]) -> None:
    app = jeton.add_client()
    for name in ("alice", "ALICE", "Alice", "aLICE", "\uff41lice", "alice"):
        await attempt(jeton, app, name)

    assert len(hashes) == FREE


async def test_time_opens_the_account_again_for_one_guess(jeton: Running, hashes: list[str | None]) -> None:
    app = jeton.add_client()
    await attempts(jeton, app, FREE + 1)

    jeton.clock.advance(29)
    await attempts(jeton, app, 5)
    jeton.clock.advance(1)
    await attempts(jeton, app, 5)

    assert len(hashes) == FREE + 1


@pytest.mark.requirement("N14")
async def test_the_owner_gets_in_from_where_they_were_before_while_everybody_else_is_held_back(
    jeton: Running, hashes: list[str | None]
) -> None:
    app = jeton.add_client()
    home, abroad = seen_from(jeton, OWNER), seen_from(jeton, STRANGER)
    await home.log_in(app)
    await attempts(abroad, app, 20)

    assert (await attempt(abroad, app, password=PASSWORD)).status_code == 400
    await home.log_in(app)


@pytest.mark.requirement("N14")
async def test_a_source_is_forgotten_thirty_days_after_its_last_success(jeton: Running) -> None:
    app = jeton.add_client()
    home, abroad = seen_from(jeton, OWNER), seen_from(jeton, STRANGER)
    await home.log_in(app)

    jeton.clock.advance(30 * 86400 - 1)
    await attempts(abroad, app, 20)
    await home.log_in(app)
    jeton.clock.advance(30 * 86400)
    await attempts(abroad, app, 20)

    assert (await attempt(home, app, password=PASSWORD)).status_code == 400


async def test_a_known_source_has_a_limit_of_its_own(jeton: Running, hashes: list[str | None]) -> None:
    app = jeton.add_client()
    home = seen_from(jeton, OWNER)
    await home.log_in(app)
    hashes.clear()

    await attempts(home, app, 20)

    assert len(hashes) == FREE


@pytest.mark.requirement("N10")
async def test_a_success_opens_the_account_to_all(jeton: Running, hashes: list[str | None]) -> None:
    app = jeton.add_client()
    home, abroad = seen_from(jeton, OWNER), seen_from(jeton, STRANGER)
    await home.log_in(app)
    await attempts(abroad, app, 20)
    await home.log_in(app)
    jeton.clock.advance(2)
    hashes.clear()

    await attempts(abroad, app, 20)

    assert len(hashes) == FREE


async def test_a_new_password_opens_the_account(jeton: Running) -> None:
    app = jeton.add_client()
    sub = jeton.add_user("bob").sub
    await attempts(jeton, app, 20, "bob")

    jeton.set_user(sub, password_version=2)
    jeton.clock.advance(2)

    assert (await attempt(jeton, app, "bob", PASSWORD)).status_code == 200


async def test_an_attempt_for_which_the_gate_has_no_room_does_not_count(
    jeton: Running, hashes: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = jeton.add_client()

    async def full(*_: object) -> None:
        raise HashingBusyError

    with monkeypatch.context() as patch:
        patch.setattr(jeton.hashing, "run", full)
        assert await attempts(jeton, app, 3) == {(503, "temporarily_unavailable"): 3}

    await attempts(jeton, app, 20)
    assert len(hashes) == FREE


async def test_a_full_gate_refuses_those_who_are_held_back_as_it_does_all_others(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = jeton.add_client()
    await attempts(jeton, app, FREE + 1)

    def full(*_: object) -> None:
        raise HashingBusyError

    monkeypatch.setattr(jeton.hashing, "check_capacity", full)

    assert await attempts(jeton, app, 1) == {(503, "temporarily_unavailable"): 1}


async def test_a_refusal_says_in_the_log_who_is_aimed_at_but_no_name_that_nobody_bears(jeton: Running) -> None:
    app = jeton.add_client()
    with capture_logs() as lines:
        await attempts(jeton, app, FREE + 1)
        await attempts(jeton, app, FREE + 1, "wholly-unheard-of")

    throttled = [it for it in lines if it["event"] == "login_throttled"]
    assert [(it["by"], it["sub"] is None, it["ip"]) for it in throttled] == [
        ("account", False, "127.0.0.1"),
        ("account", True, "127.0.0.1"),
    ]
    assert "unheard" not in str(lines)


@pytest.mark.requirement("A24", "A52", "K07")
async def test_an_address_that_tries_one_name_after_the_other_hears_429_and_when_to_come_again(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ADDRESS="5")
    app, hashes = jeton.add_client(), count_hashes(jeton, monkeypatch)
    stranger = seen_from(jeton, "2001:db8:1:2::3")

    answers = [await attempt(stranger, app, f"user{number}") for number in range(7)]

    assert [it.status_code for it in answers] == [400] * 5 + [429] * 2
    assert len(hashes) == 5
    assert answers[-1].json()["error"] == "temporarily_unavailable"
    assert answers[-1].headers["retry-after"] == "720"
    assert answers[-1].headers["cache-control"] == "no-store"
    assert (await attempt(seen_from(jeton, "2001:db8:1:2:ffff::1"), app)).status_code == 429
    assert (await attempt(seen_from(jeton, "2001:db8:1:3::1"), app)).status_code == 400
    jeton.clock.advance(720)
    assert (await attempt(stranger, app)).status_code == 400


@pytest.mark.requirement("N14")
async def test_a_known_source_is_let_in_though_its_neighbours_shut_the_address(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ADDRESS="5")
    app = jeton.add_client()
    for name in ("alice", "bob"):
        jeton.add_user(name)
    await jeton.log_in(app)
    await asyncio.gather(*(attempt(jeton, app, f"user{number}") for number in range(10)))

    assert (await attempt(jeton, app, "bob", PASSWORD)).status_code == 429
    await jeton.log_in(app)


async def test_logins_that_succeed_are_not_counted(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ADDRESS="3", LIMITS__KNOWN_SOURCE_SECONDS="0")
    app = jeton.add_client()
    jeton.add_user()

    for _ in range(10):
        await jeton.log_in(app)


@pytest.mark.requirement("C11")
async def test_a_page_of_a_registered_origin_may_read_a_429_and_when_to_come_again(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ADDRESS="1")
    origin = {"Origin": "https://app.example"}
    app = jeton.add_client(public=True, origins=frozenset(origin.values()))

    for status in (400, 429):
        answer = await jeton.token(app, origin, grant_type="password", username="nobody", password=WRONG)
        assert answer.status_code == status

    assert answer.headers["access-control-allow-origin"] == origin["Origin"]
    assert "Retry-After" in answer.headers["access-control-expose-headers"]


async def test_zero_switches_the_limits_off(start: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("LOGIN_FAILURES_PER_ADDRESS", "LOGIN_FAILURES_PER_CLIENT", "LOGIN_FAILURES_PER_ACCOUNT")
    jeton = await start(**{f"LIMITS__{name}": "0" for name in names})
    app, hashes = jeton.add_client(), count_hashes(jeton, monkeypatch)

    for _ in range(30):
        assert (await attempt(jeton, app)).status_code == 400
    assert len(hashes) == 30


async def test_many_right_passwords_at_once_do_not_take_each_other_s_places(
    jeton: Running, hashes: list[str | None]
) -> None:
    app = jeton.add_client()

    answers = await asyncio.gather(*(attempt(jeton, app, password=PASSWORD) for _ in range(3 * FREE)))

    assert [it.status_code for it in answers] == [200] * 3 * FREE
    assert len(hashes) == 3 * FREE


async def test_a_line_of_logins_ends_somewhere() -> None:
    turns, inside = LoginConcurrency(), asyncio.Event()

    async def stand() -> None:
        async with turns.acquire("alice"):
            await inside.wait()

    waiting = [asyncio.create_task(stand()) for _ in range(MAX_CONCURRENT + MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(HashingBusyError):
        async with turns.acquire("alice"):
            pytest.fail("there was room")
    async with turns.acquire("bob"):
        inside.set()
    await asyncio.gather(*waiting)
    async with turns.acquire("alice"):
        assert len(turns._queues) == 1
    assert turns._queues == {}
