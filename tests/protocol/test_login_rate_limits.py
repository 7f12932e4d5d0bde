"""Login rate limits of an account (RFC 6749 section 4.3.2, SP 800-63B-4 section 3.2.2): exact, fair to its owner."""

import asyncio
import gc
import weakref
from unittest.mock import AsyncMock, Mock

import pytest
from structlog.testing import capture_logs

from jeton.crypto.hashing_pool import HashingBusyError
from jeton.login.concurrency import MAX_CONCURRENT, MAX_WAITING, LoginConcurrency
from jeton.login.login_rate_limits import LoginRequest
from jeton.oauth.sessions import Source
from jeton.rules.attempts import Reservation
from support.client_addresses import from_address
from support.hash_counter import count_hashes
from support.in_process_server import PASSWORD, App, Running, StartServer
from support.login_attempts import attempt, attempts

OWNER, STRANGER = "192.0.2.1", "198.51.100.7"
FREE = 4
NO_OTHER_LIMITS = {"LIMITS__LOGIN_FAILURES_PER_ADDRESS": "0", "LIMITS__LOGIN_FAILURES_PER_CLIENT": "0"}


@pytest.fixture
async def jeton(start: StartServer) -> Running:
    """A server with few free attempts per account."""
    server = await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT=str(FREE), **NO_OTHER_LIMITS)
    server.add_user()
    return server


@pytest.fixture
def app(jeton: Running) -> App:
    return jeton.add_client()


@pytest.fixture
def hashes(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The stored hashes against which a password was checked."""
    return count_hashes(jeton, monkeypatch)


@pytest.mark.both_databases
@pytest.mark.requirement("A24", "A52", "N10", "N15")
@pytest.mark.parametrize("username", ["alice", "nobody"])
async def test_concurrent_guesses_cost_exactly_as_many_hashes_as_are_free(
    jeton: Running, app: App, hashes: list[str | None], username: str
) -> None:
    wrong = await attempt(jeton, app, username)

    assert await attempts(jeton, app, 30, username) == {(400, "invalid_grant"): 30}
    assert len(hashes) == FREE
    blocked = await attempt(jeton, app, username, PASSWORD)
    assert (blocked.status_code, blocked.headers, blocked.content) == (400, wrong.headers, wrong.content)


async def test_all_spellings_of_a_username_share_one_limit(jeton: Running, app: App, hashes: list[str | None]) -> None:
    for name in ("alice", "ALICE", "Alice", "aLICE", "\uff41lice", "alice"):
        await attempt(jeton, app, name)

    assert len(hashes) == FREE


async def test_account_allows_one_guess_again_after_a_delay(jeton: Running, app: App, hashes: list[str | None]) -> None:
    await attempts(jeton, app, FREE + 1)
    jeton.clock.advance(29)
    await attempts(jeton, app, 5)
    assert len(hashes) == FREE
    jeton.clock.advance(1)
    await attempts(jeton, app, 5)

    assert len(hashes) == FREE + 1


@pytest.mark.both_databases
@pytest.mark.requirement("N10", "N14")
async def test_known_source_has_a_limit_of_its_own_and_its_success_resets_the_account(
    jeton: Running, app: App, hashes: list[str | None]
) -> None:
    home, abroad = from_address(jeton, OWNER), from_address(jeton, STRANGER)
    await home.log_in(app)
    await attempts(abroad, app, 20)
    assert (await attempt(abroad, app, password=PASSWORD)).status_code == 400
    await home.log_in(app)
    jeton.clock.advance(2)
    for source in (abroad, home):
        hashes.clear()
        await attempts(source, app, 20)
        assert len(hashes) == FREE


@pytest.mark.requirement("N14")
async def test_source_is_known_for_thirty_days_after_its_last_success(jeton: Running, app: App) -> None:
    home, abroad = from_address(jeton, OWNER), from_address(jeton, STRANGER)
    await home.log_in(app)

    jeton.clock.advance(30 * 86400 - 1)
    await attempts(abroad, app, 20)
    await home.log_in(app)
    jeton.clock.advance(30 * 86400)
    await attempts(abroad, app, 20)

    assert (await attempt(home, app, password=PASSWORD)).status_code == 400


async def test_attempt_that_no_hashing_capacity_is_left_for_does_not_count(
    jeton: Running, app: App, hashes: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(jeton.hashing, "run", AsyncMock(side_effect=HashingBusyError))
        assert await attempts(jeton, app, 3) == {(503, "temporarily_unavailable"): 3}

    await attempts(jeton, app, 20)
    assert len(hashes) == FREE
    monkeypatch.setattr(jeton.hashing, "check_capacity", Mock(side_effect=HashingBusyError))
    assert await attempts(jeton, app, 1) == {(503, "temporarily_unavailable"): 1}, "it hides the limit"


async def test_refusal_is_logged_with_the_user_but_without_an_unknown_name(jeton: Running, app: App) -> None:
    with capture_logs() as lines:
        await attempts(jeton, app, FREE + 1)
        await attempts(jeton, app, FREE + 1, "wholly-unheard-of")

    throttled = [it for it in lines if it["event"] == "login_throttled"]
    assert [(it["by"], it["sub"] is None) for it in throttled] == [("account", False), ("account", True)]
    assert {it["ip"] for it in throttled} == {"127.0.0.1"}
    assert "unheard" not in str(lines)


@pytest.mark.requirement("N10", "N14")
async def test_after_a_hundred_consecutive_failures_from_known_sources_only_a_new_password_works(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="60", **NO_OTHER_LIMITS)
    app, user = jeton.add_client(), jeton.add_user()
    homes = [from_address(jeton, f"192.0.2.{number}") for number in (1, 2)]
    for home in homes:
        await home.log_in(app)
        await attempts(home, app, 50)
        await home.log_in(app)
    hashes = count_hashes(jeton, monkeypatch)
    for _ in range(60):
        for home in homes:
            await attempt(home, app)
    jeton.clock.advance(3600)

    assert len(hashes) == 100
    for place in (*homes, from_address(jeton, STRANGER)):
        assert (await attempt(place, app, password=PASSWORD)).status_code == 400
    jeton.clock.advance(5 * 366 * 86400)
    assert (await attempt(homes[0], app, password=PASSWORD)).status_code == 400
    assert len(hashes) == 100
    jeton.set_user(user.sub, password_version=2)
    jeton.clock.advance(2)
    await homes[0].log_in(app)


@pytest.mark.both_databases
@pytest.mark.requirement("N14")
async def test_correct_logins_from_many_addresses_on_two_nodes_wait_for_each_other(start: StartServer) -> None:
    nodes = [await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="2") for _ in range(2)]
    app, _ = nodes[0].add_client(), nodes[0].add_user()
    places = [from_address(nodes[number % 2], f"192.0.2.{number}") for number in range(20)]

    answers = await asyncio.gather(*(attempt(it, app, password=PASSWORD) for it in places))

    assert [it.status_code for it in answers] == [200] * 20


@pytest.mark.both_databases
async def test_successful_logins_of_one_account_have_a_limit(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGINS_PER_ACCOUNT="3")
    app = jeton.add_client()
    for name in ("alice", "bob"):
        jeton.add_user(name)
    places = [from_address(jeton, f"192.0.2.{number}") for number in range(5)]

    answers = [await attempt(it, app, password=PASSWORD) for it in places]

    assert [it.status_code for it in answers] == [200] * 3 + [429] * 2
    assert answers[-1].headers["retry-after"] == "1200"
    assert (await attempt(places[0], app)).status_code == 400
    await places[0].log_in(app, "bob")
    jeton.clock.advance(1200)
    await places[0].log_in(app)


@pytest.mark.requirement("N14", "O16")
@pytest.mark.parametrize("name", ["alice", "nobody"])
async def test_login_that_waits_too_long_for_others_is_503_and_not_counted(
    start: StartServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="1", LIMITS__LOGIN_FAILURES_PER_ADDRESS="1")
    app, limits, _ = jeton.add_client(), jeton.login.limits, jeton.add_user()
    monkeypatch.setattr("jeton.login.password_login._WAIT_SECONDS", 0)
    user = (await jeton.lookups.user(name)) or None
    pending = await limits.reserve(LoginRequest(name, app.client_id, Source("192.0.2.1")), user)
    assert isinstance(pending, Reservation)
    other = from_address(jeton, "192.0.2.2")

    answer = await attempt(other, app, name, PASSWORD)

    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    await limits.release(pending)
    assert (await attempt(other, app, name)).status_code == 400


async def test_queue_of_logins_is_bounded_and_forgets_names_without_logins() -> None:
    class Name:
        """A name that can be referenced weakly."""

    logins, inside, name = LoginConcurrency(), asyncio.Event(), Name()

    async def log_in(key: Name) -> None:
        async with logins.acquire(key):
            await inside.wait()

    waiting = [asyncio.create_task(log_in(name)) for _ in range(MAX_CONCURRENT + MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(HashingBusyError):
        async with logins.acquire(name):
            pytest.fail("the queue was not full")
    async with logins.acquire("bob"):
        inside.set()
    await asyncio.gather(*waiting)
    async with logins.acquire(name):
        reference = weakref.ref(name)
    del name, waiting
    gc.collect()

    assert reference() is None
