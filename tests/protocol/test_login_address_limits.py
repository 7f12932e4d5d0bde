"""Login rate limits of an address and of a client (SP 800-63B-4 section 3.2.2, RFC 6749 section 10.7)."""

import asyncio

import pytest

from support.client_addresses import from_address
from support.hash_counter import count_hashes
from support.in_process_server import PASSWORD, Running, StartServer
from support.login_attempts import WRONG, attempt

PER_ADDRESS = "LIMITS__LOGIN_FAILURES_PER_ADDRESS"


@pytest.mark.both_databases
@pytest.mark.requirement("A24", "A52", "C11", "K07")
async def test_address_that_tries_many_names_gets_429_and_a_retry_time(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    jeton = await start(**{PER_ADDRESS: "5"})
    app, hashes = jeton.add_client(origins=frozenset({"https://app.example"})), count_hashes(jeton, monkeypatch)
    stranger = from_address(jeton, "2001:db8:1:2::3")

    answers = [await attempt(stranger, app, f"user{number}") for number in range(6)]
    form = {"grant_type": "password", "username": "user6", "password": WRONG}
    answers.append(await stranger.token(app, {"Origin": "https://app.example"}, **form))

    assert [it.status_code for it in answers] == [400] * 5 + [429] * 2
    assert len(hashes) == 5
    assert answers[-1].json()["error"] == "temporarily_unavailable"
    assert (answers[-1].headers["retry-after"], answers[-1].headers["cache-control"]) == ("720", "no-store")
    assert answers[-1].headers["access-control-allow-origin"] == "https://app.example"
    assert "Retry-After" in answers[-1].headers["access-control-expose-headers"]
    assert (await attempt(from_address(jeton, "2001:db8:1:2:ffff::1"), app)).status_code == 429
    assert (await attempt(from_address(jeton, "2001:db8:1:3::1"), app)).status_code == 400
    jeton.clock.advance(720)
    assert (await attempt(stranger, app)).status_code == 400


@pytest.mark.both_databases
@pytest.mark.requirement("N14", "N15")
async def test_known_source_may_log_in_although_its_address_is_blocked(start: StartServer) -> None:
    jeton = await start(**{PER_ADDRESS: "5"})
    app, _, _ = jeton.add_client(), jeton.add_user("alice"), jeton.add_user("bob")
    await jeton.log_in(app)
    await asyncio.gather(*(attempt(jeton, app, f"user{number}") for number in range(10)))

    wrong = [await attempt(jeton, app, name, WRONG) for name in ("alice", "nobody")]

    assert [(it.status_code, it.headers["retry-after"]) for it in wrong] == [(429, "720")] * 2
    assert wrong[0].content == wrong[1].content
    assert (await attempt(jeton, app, "bob", PASSWORD)).status_code == 429
    await jeton.log_in(app)


async def test_guesses_from_a_known_source_count_for_its_address(start: StartServer) -> None:
    jeton = await start(**{PER_ADDRESS: "5"})
    app, _, _ = jeton.add_client(), jeton.add_user("alice"), jeton.add_user("bob")
    await jeton.log_in(app)
    for _ in range(5):
        await attempt(jeton, app, "alice")

    assert (await attempt(jeton, app, "bob", PASSWORD)).status_code == 429


async def test_zero_disables_the_limits(start: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    names = (PER_ADDRESS, "LIMITS__LOGIN_FAILURES_PER_CLIENT", "LIMITS__LOGIN_FAILURES_PER_ACCOUNT")
    jeton = await start(**dict.fromkeys(names, "0"))
    app, hashes = jeton.add_client(), count_hashes(jeton, monkeypatch)

    assert [(await attempt(jeton, app)).status_code for _ in range(30)] == [400] * 30
    assert len(hashes) == 30


@pytest.mark.requirement("N14")
@pytest.mark.parametrize(
    ("allowed", "sources"),
    [
        pytest.param(8, [f"2001:db8:0:{it:x}::1" for it in range(16)], id="a /57"),
        pytest.param(32, [f"2001:db8:0:{it << 8:x}::1" for it in range(40)], id="many /56 of a /48"),
    ],
)
async def test_limit_of_an_ipv6_site_is_a_small_multiple(
    start: StartServer, monkeypatch: pytest.MonkeyPatch, allowed: int, sources: list[str]
) -> None:
    jeton = await start(**{PER_ADDRESS: "2"})
    app, hashes = jeton.add_client(), count_hashes(jeton, monkeypatch)

    for number, source in enumerate(sources):
        await attempt(from_address(jeton, source), app, f"user{number}")

    assert len(hashes) == allowed


@pytest.mark.requirement("N14")
async def test_client_with_too_many_failures_is_delayed_only(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_CLIENT="5")
    app, other, _ = jeton.add_client(), jeton.add_client("other"), jeton.add_user()
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    monkeypatch.setattr(jeton.login, "_sleep", sleep)
    answers = [await attempt(from_address(jeton, f"198.51.100.{it}"), app, f"user{it}") for it in range(7)]
    assert [it.status_code for it in answers] == [400] * 7
    assert delays == [1, 1]

    await from_address(jeton, "203.0.113.1").log_in(app)
    assert delays == [1, 1, 1]
    await from_address(jeton, "203.0.113.2").log_in(other)
    assert delays == [1, 1, 1]


@pytest.mark.requirement("N14", "K07")
@pytest.mark.parametrize("no_address", ["", "192.0.2.1:x"])
async def test_invalid_forwarded_address_counts_for_the_proxy(start: StartServer, no_address: str) -> None:
    jeton = await start(SERVER__TRUSTED_PROXIES="10.0.0.0/8", **{PER_ADDRESS: "2"})
    app = jeton.add_client()
    proxies = [from_address(jeton, "10.0.0.1"), from_address(jeton, "::ffff:10.0.0.2")]

    async def status(proxy: Running, forwarded_for: str, name: str) -> int:
        form = {"grant_type": "password", "username": name, "password": WRONG}
        return (await proxy.token(app, {"X-Forwarded-For": forwarded_for}, **form)).status_code

    guesses = [await status(proxies[0], f"192.0.2.{it}, {no_address}", f"user{it}") for it in range(3)]
    assert guesses == [400, 400, 429]
    assert await status(proxies[1], no_address, "user4") == 400
    assert await status(proxies[0], "192.0.2.7", "user5") == 400


@pytest.mark.requirement("K07")
async def test_peers_without_an_address_share_one_limit(start: StartServer) -> None:
    jeton = await start(**{PER_ADDRESS: "2"})
    app = jeton.add_client()

    answers = [await attempt(from_address(jeton, "testclient"), app, f"user{it}") for it in range(3)]

    assert [it.status_code for it in answers] == [400, 400, 429]
