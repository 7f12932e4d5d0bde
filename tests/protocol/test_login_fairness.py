"""Who is held back, and who is not: the owner, right logins at once, everybody else (SP 800-63B-4 3.2.2)."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx2
import pytest

from jeton.login.login_rate_limits import LoginRequest
from jeton.oauth.sessions import Source
from jeton.rules.attempts import Reservation
from support.client_addresses import seen_from
from support.hash_counter import count_hashes
from support.in_process_server import PASSWORD, App, Running

StartServer = Callable[..., Awaitable[Running]]
WRONG = "a wrong password, and long"


async def attempt(jeton: Running, app: App, username: str = "alice", password: str = WRONG) -> httpx2.Response:
    return await jeton.token(app, None, grant_type="password", username=username, password=password)


@pytest.mark.requirement("N10")
async def test_after_a_hundred_failures_in_a_row_from_known_sources_the_password_works_nowhere(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="60", LIMITS__LOGIN_FAILURES_PER_ADDRESS="0")
    app = jeton.add_client()
    user = jeton.add_user()
    homes = [seen_from(jeton, f"192.0.2.{number}") for number in (1, 2)]
    for home in homes:
        await home.log_in(app)
    hashes = count_hashes(jeton, monkeypatch)
    for _ in range(60):
        for home in homes:
            await attempt(home, app)
    jeton.clock.advance(3600)

    assert len(hashes) == 100
    for place in (*homes, seen_from(jeton, "198.51.100.7")):
        assert (await attempt(place, app, password=PASSWORD)).status_code == 400
    jeton.clock.advance(5 * 366 * 86400)
    assert (await attempt(homes[0], app, password=PASSWORD)).status_code == 400
    assert len(hashes) == 100
    jeton.set_user(user.sub, password_version=2)
    jeton.clock.advance(2)
    await homes[0].log_in(app)


@pytest.mark.requirement("N10")
async def test_a_success_begins_anew_from_known_sources_too(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="60", LIMITS__LOGIN_FAILURES_PER_ADDRESS="0")
    app = jeton.add_client()
    jeton.add_user()
    for _ in range(3):
        await jeton.log_in(app)
        await asyncio.gather(*(attempt(jeton, app) for _ in range(59)))
    await jeton.log_in(app)


@pytest.mark.requirement("N10", "N14")
async def test_a_live_session_changes_a_password_that_works_no_more(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="100", LIMITS__LOGIN_FAILURES_PER_ADDRESS="0")
    app = jeton.add_client(scope=frozenset({"account"}))
    jeton.add_user()
    bearer = {"Authorization": f"Bearer {(await jeton.log_in(app))['access_token']}"}
    await asyncio.gather(*(attempt(jeton, app) for _ in range(110)))
    jeton.clock.advance(2)
    assert (await attempt(jeton, app, password=PASSWORD)).status_code == 400

    form = {"current_password": PASSWORD, "new_password": "a quite different passphrase"}
    changed = await jeton.http.post("/account/password", data=form, headers=bearer)

    assert changed.status_code == 200
    await jeton.log_in(app, password=form["new_password"])


@pytest.mark.requirement("N10")
async def test_a_live_session_is_no_way_around_the_hundred(start: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="100", LIMITS__LOGIN_FAILURES_PER_ADDRESS="0")
    app = jeton.add_client(scope=frozenset({"account"}))
    jeton.add_user()
    bearer = {"Authorization": f"Bearer {(await jeton.log_in(app))['access_token']}"}
    hashes = count_hashes(jeton, monkeypatch)
    form = {"current_password": WRONG, "new_password": "a quite different passphrase"}

    for _ in range(110):
        await jeton.http.post("/account/password", data=form, headers=bearer)

    assert len(hashes) == 100
    assert (await attempt(jeton, app, password=PASSWORD)).status_code == 200


@pytest.mark.requirement("N14")
@pytest.mark.parametrize(
    ("allowed", "sources"),
    [
        pytest.param(8, [f"2001:db8:0:{it:x}::1" for it in range(128)], id="a /57"),
        pytest.param(32, [f"2001:db8:0:{it << 8:x}::1" for it in range(128)], id="many /56 of a /48"),
    ],
)
async def test_one_site_of_ipv6_has_few_guesses(
    start: StartServer, monkeypatch: pytest.MonkeyPatch, allowed: int, sources: list[str]
) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ADDRESS="2")
    app, hashes = jeton.add_client(), count_hashes(jeton, monkeypatch)

    for number, source in enumerate(sources):
        await attempt(seen_from(jeton, source), app, f"user{number}")

    assert len(hashes) == allowed


@pytest.mark.requirement("N14")
async def test_a_client_through_which_too_many_guesses_come_is_slowed_down_and_not_shut(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_CLIENT="5")
    app, other = jeton.add_client(), jeton.add_client("other")
    jeton.add_user()
    slowed: list[float] = []

    async def sleep(seconds: float) -> None:
        slowed.append(seconds)

    monkeypatch.setattr(jeton.login, "_sleep", sleep)
    answers = [await attempt(seen_from(jeton, f"198.51.100.{it}"), app, f"user{it}") for it in range(7)]
    assert [it.status_code for it in answers] == [400] * 7
    assert slowed == [1, 1]

    await seen_from(jeton, "203.0.113.1").log_in(app)
    assert slowed == [1, 1, 1]
    await seen_from(jeton, "203.0.113.2").log_in(other)
    assert slowed == [1, 1, 1]


@pytest.mark.requirement("N14")
async def test_right_logins_at_once_from_many_places_wait_for_each_other(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="4")
    app = jeton.add_client()
    jeton.add_user()
    places = [seen_from(jeton, f"192.0.2.{number}") for number in range(30)]

    answers = await asyncio.gather(*(attempt(it, app, password=PASSWORD) for it in places))

    assert [it.status_code for it in answers] == [200] * 30


async def test_right_logins_at_once_on_two_nodes_wait_for_each_other(start: StartServer) -> None:
    nodes = [await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="2") for _ in range(2)]
    app = nodes[0].add_client()
    nodes[0].add_user()
    places = [seen_from(nodes[number % 2], f"192.0.2.{number}") for number in range(20)]

    answers = await asyncio.gather(*(attempt(it, app, password=PASSWORD) for it in places))

    assert [it.status_code for it in answers] == [200] * 20


async def test_right_logins_of_many_accounts_at_once_from_one_address_wait_for_each_other(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ADDRESS="3")
    app = jeton.add_client()
    names = [f"user{number}" for number in range(12)]
    for name in names:
        jeton.add_user(name)

    answers = await asyncio.gather(*(attempt(jeton, app, name, PASSWORD) for name in names))

    assert [it.status_code for it in answers] == [200] * 12


async def test_successes_of_one_account_have_a_generous_limit(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGINS_PER_ACCOUNT="3")
    app = jeton.add_client()
    for name in ("alice", "bob"):
        jeton.add_user(name)
    places = [seen_from(jeton, f"192.0.2.{number}") for number in range(5)]

    answers = [await attempt(it, app, password=PASSWORD) for it in places]

    assert [it.status_code for it in answers] == [200] * 3 + [429] * 2
    assert answers[-1].headers["retry-after"] == "1200"
    assert (await attempt(places[0], app)).status_code == 400
    await places[0].log_in(app, "bob")
    jeton.clock.advance(1200)
    await places[0].log_in(app)


@pytest.mark.requirement("N14", "O16")
@pytest.mark.parametrize("name", ["alice", "nobody"])
async def test_who_waits_too_long_for_others_is_told_to_come_back_and_counts_nowhere(
    start: StartServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="1", LIMITS__LOGIN_FAILURES_PER_ADDRESS="1")
    app, login = jeton.add_client(), jeton.login
    jeton.add_user()
    monkeypatch.setattr("jeton.login.password_login._WAIT_SECONDS", 0)
    source = LoginRequest(name, app.client_id, Source("192.0.2.1"))
    user = (await jeton.lookups.user(name)) or None
    pending = await login.limits.reserve(source, user)
    assert isinstance(pending, Reservation)

    answer = await attempt(seen_from(jeton, "192.0.2.2"), app, name, PASSWORD)

    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    await login.limits.release(pending)
    assert (await attempt(seen_from(jeton, "192.0.2.2"), app, name)).status_code == 400


@pytest.mark.requirement("N14", "K07")
@pytest.mark.parametrize("no_address", ["", "unknown", "_hidden", "[::1", "192.0.2.1:x", "192.0.2.01", "a.example"])
async def test_what_is_no_address_in_a_forwarding_header_switches_no_limit_off(
    start: StartServer, no_address: str
) -> None:
    jeton = await start(SERVER__TRUSTED_PROXIES="10.0.0.0/8", LIMITS__LOGIN_FAILURES_PER_ADDRESS="2")
    app = jeton.add_client()
    proxies = [seen_from(jeton, "10.0.0.1"), seen_from(jeton, "::ffff:10.0.0.2")]

    async def status(proxy: Running, forwarded_for: str, name: str) -> int:
        form = {"grant_type": "password", "username": name, "password": WRONG}
        return (await proxy.token(app, {"X-Forwarded-For": forwarded_for}, **form)).status_code

    guesses = [await status(proxies[0], f"192.0.2.{it}, {no_address}", f"user{it}") for it in range(3)]
    assert guesses == [400, 400, 429]
    assert await status(proxies[1], no_address, "user4") == 400
    assert await status(proxies[0], "192.0.2.7", "user5") == 400


@pytest.mark.requirement("K07")
async def test_peers_without_an_address_are_counted_as_one(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ADDRESS="2")
    app = jeton.add_client()

    answers = [await attempt(seen_from(jeton, "testclient"), app, f"user{it}") for it in range(3)]

    assert [it.status_code for it in answers] == [400, 400, 429]
