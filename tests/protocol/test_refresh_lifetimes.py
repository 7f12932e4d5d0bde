"""RFC 9700 section 4.14.2 and ASVS 7.3: a session ends when it is idle, and for good after its absolute time."""

from collections.abc import Awaitable, Callable

import pytest

from support.in_process_server import App, Running

StartServer = Callable[..., Awaitable[Running]]
DAY = 86400


@pytest.fixture
def app(jeton: Running) -> App:
    """A client whose sessions end after 100 idle seconds, and after 250 in any case."""
    jeton.add_user()
    return jeton.add_client(lifetimes={"refresh_idle_seconds": 100, "refresh_absolute_seconds": 250})


async def refreshes(jeton: Running, app: App, refresh_token: str) -> bool:
    response = await jeton.refresh(app, refresh_token)
    assert response.status_code == 200 or response.json()["error"] == "invalid_grant", response.text
    return response.status_code == 200


@pytest.mark.requirement("A38", "I10", "O02")
@pytest.mark.parametrize(("after", "alive"), [(0, True), (99, True), (100, False), (101, False)])
async def test_an_idle_session_ends_at_the_exact_second(jeton: Running, app: App, after: int, alive: bool) -> None:
    tokens = await jeton.log_in(app)
    jeton.clock.advance(after)

    assert await refreshes(jeton, app, tokens["refresh_token"]) is alive


@pytest.mark.requirement("I10", "O02")
async def test_each_refresh_begins_the_idle_time_anew(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    jeton.clock.advance(99)
    tokens = await jeton.refreshed(app, tokens["refresh_token"])
    jeton.clock.advance(99)

    assert await refreshes(jeton, app, tokens["refresh_token"])


@pytest.mark.requirement("I10", "O02")
@pytest.mark.parametrize(("last", "alive"), [(69, True), (70, False), (71, False)])
async def test_no_refresh_takes_a_session_beyond_its_absolute_end(
    jeton: Running, app: App, last: int, alive: bool
) -> None:
    tokens = await jeton.log_in(app)
    for _ in range(2):
        jeton.clock.advance(90)
        tokens = await jeton.refreshed(app, tokens["refresh_token"])
    jeton.clock.advance(last)

    assert await refreshes(jeton, app, tokens["refresh_token"]) is alive


@pytest.mark.requirement("I10", "O02")
async def test_a_refused_attempt_does_not_count_as_use(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    jeton.clock.advance(90)
    await jeton.refresh(app, tokens["refresh_token"], scope="admin")
    jeton.clock.advance(10)

    assert not await refreshes(jeton, app, tokens["refresh_token"])


@pytest.mark.requirement("O02")
async def test_using_the_access_token_does_not_prolong_the_session(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    jeton.clock.advance(99)
    assert (await jeton.introspect(app, tokens["access_token"]))["active"] is True
    jeton.clock.advance(1)

    assert not await refreshes(jeton, app, tokens["refresh_token"])


@pytest.mark.requirement("O02")
async def test_an_access_token_ends_with_its_session(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    assert tokens["expires_in"] == 250
    for _ in range(2):
        jeton.clock.advance(90)
        tokens = await jeton.refreshed(app, tokens["refresh_token"])

    assert tokens["expires_in"] == 70
    jeton.clock.advance(70)
    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}


@pytest.mark.requirement("I10", "O02")
@pytest.mark.parametrize(("after", "alive"), [(14 * DAY - 1, True), (14 * DAY, False)])
async def test_by_default_a_session_ends_after_14_idle_days(jeton: Running, after: int, alive: bool) -> None:
    jeton.add_user()
    app = jeton.add_client()
    tokens = await jeton.log_in(app)
    jeton.clock.advance(after)

    assert await refreshes(jeton, app, tokens["refresh_token"]) is alive


@pytest.mark.requirement("O02")
async def test_by_default_a_session_ends_after_90_days(jeton: Running) -> None:
    jeton.add_user()
    app = jeton.add_client()
    tokens = await jeton.log_in(app)
    for _ in range(9):
        jeton.clock.advance(10 * DAY - 1)
        tokens = await jeton.refreshed(app, tokens["refresh_token"])
    jeton.clock.advance(9)

    assert not await refreshes(jeton, app, tokens["refresh_token"])


@pytest.mark.requirement("I06", "O02")
async def test_the_server_s_lifetimes_are_for_clients_that_have_none_of_their_own(start: StartServer) -> None:
    jeton = await start(TOKENS__REFRESH_IDLE_SECONDS="50", TOKENS__ACCESS_SECONDS="20")
    jeton.add_user()
    plain = jeton.add_client("plain")
    longer = jeton.add_client("longer", lifetimes={"refresh_idle_seconds": 100})
    first, second = await jeton.log_in(plain), await jeton.log_in(longer)
    assert (first["expires_in"], second["expires_in"]) == (20, 20)
    jeton.clock.advance(50)

    assert not await refreshes(jeton, plain, first["refresh_token"])
    assert await refreshes(jeton, longer, second["refresh_token"])


@pytest.mark.requirement("I10", "O02")
async def test_a_shorter_idle_time_counts_from_the_next_refresh_on(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    jeton.set_client(app.client_id, lifetimes={"refresh_idle_seconds": 10, "refresh_absolute_seconds": 250})
    jeton.clock.advance(50)
    tokens = await jeton.refreshed(app, tokens["refresh_token"])
    jeton.clock.advance(10)

    assert not await refreshes(jeton, app, tokens["refresh_token"])


@pytest.mark.requirement("O02")
async def test_the_absolute_end_is_settled_at_login(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    jeton.set_client(app.client_id, lifetimes={"refresh_idle_seconds": 10**6, "refresh_absolute_seconds": 10**7})
    jeton.clock.advance(99)
    tokens = await jeton.refreshed(app, tokens["refresh_token"])
    jeton.clock.advance(151)

    assert not await refreshes(jeton, app, tokens["refresh_token"])


@pytest.mark.requirement("I06", "O02")
async def test_a_session_that_cannot_be_refreshed_ends_with_its_access_token(jeton: Running) -> None:
    jeton.add_user()
    app = jeton.add_client(grant_types=frozenset({"password"}))
    tokens = await jeton.log_in(app)
    jeton.clock.advance(599)
    assert (await jeton.introspect(app, tokens["access_token"]))["active"] is True
    jeton.clock.advance(1)

    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}
