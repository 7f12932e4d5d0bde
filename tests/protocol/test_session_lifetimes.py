"""A session ends when it is idle, and after its absolute time in any case (RFC 9700 section 4.14.2, ASVS 7.3)."""

import pytest

from jeton.storage.family_lists import list_families
from support.in_process_server import App, Running, StartServer
from support.responses import outcome

DAY = 86400


@pytest.fixture(autouse=True)
def alice(jeton: Running) -> None:
    jeton.add_user()


async def is_refreshed(jeton: Running, app: App, refresh_token: str) -> bool:
    response = await jeton.refresh(app, refresh_token)
    assert outcome(response) in [(200, None), (400, "invalid_grant")]
    return response.status_code == 200


@pytest.mark.requirement("A38", "I10", "O02")
@pytest.mark.parametrize(
    ("seconds", "alive"),
    [
        pytest.param([14 * DAY - 1], True, id="last second of the idle time"),
        pytest.param([14 * DAY], False, id="idle for 14 days"),
        pytest.param([*[10 * DAY - 1] * 9, 8], True, id="90 days by default"),
        pytest.param([*[10 * DAY - 1] * 9, 9], False, id="after 90 days"),
    ],
)
async def test_session_refreshed_at_these_intervals_ends_at_the_exact_second(
    jeton: Running, seconds: list[int], alive: bool
) -> None:
    app = jeton.add_client()
    token = (await jeton.log_in(app))["refresh_token"]
    for interval in seconds[:-1]:
        jeton.clock.advance(interval)
        token = (await jeton.refreshed(app, token))["refresh_token"]
    jeton.clock.advance(seconds[-1])

    assert await is_refreshed(jeton, app, token) is alive


@pytest.mark.requirement("I06", "O02")
async def test_lifetimes_of_the_settings_apply_to_clients_without_their_own(start: StartServer) -> None:
    jeton = await start(TOKENS__REFRESH_IDLE_SECONDS="50", TOKENS__ACCESS_SECONDS="20")
    plain = jeton.add_client("plain")
    longer = jeton.add_client("longer", lifetimes={"refresh_idle_seconds": 100})
    first, second = await jeton.log_in(plain), await jeton.log_in(longer)
    assert (first["expires_in"], second["expires_in"]) == (20, 20)
    jeton.clock.advance(50)

    assert not await is_refreshed(jeton, plain, first["refresh_token"])
    assert await is_refreshed(jeton, longer, second["refresh_token"])


@pytest.mark.requirement("I06", "O02")
async def test_session_without_refresh_token_ends_with_its_access_token(jeton: Running) -> None:
    app = jeton.add_client(grant_types=frozenset({"password"}))
    tokens = await jeton.log_in(app)

    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope"}
    jeton.clock.advance(599)
    assert (await jeton.introspect(app, tokens["access_token"]))["active"] is True
    jeton.clock.advance(1)
    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}
    with jeton.database.read() as connection:
        assert list_families(connection, jeton.clock.now()) == []
