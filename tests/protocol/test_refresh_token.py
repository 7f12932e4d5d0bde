"""RFC 6749 section 6 and RFC 9700 section 4.14: refreshing, rotation, and what a replay does."""

import asyncio

import httpx2
import pytest

from support.in_process_server import App, Running


async def is_dead(jeton: Running, app: App, refresh_token: str) -> bool:
    response = await jeton.refresh(app, refresh_token)
    return (response.status_code, response.json().get("error")) == (400, "invalid_grant")


@pytest.fixture(params=[False, True], ids=["confidential", "public"])
def app(jeton: Running, request: pytest.FixtureRequest) -> App:
    jeton.add_user()
    return jeton.add_client(public=request.param)


@pytest.fixture
def owner(jeton: Running) -> App:
    """A confidential client, which may look at its own tokens."""
    jeton.add_user()
    return jeton.add_client()


@pytest.mark.requirement("A44", "I05")
async def test_a_refresh_gives_a_new_pair_of_tokens(jeton: Running, owner: App) -> None:
    first = await jeton.log_in(owner)

    second = await jeton.refreshed(owner, first["refresh_token"])

    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert (await jeton.introspect(owner, second["access_token"]))["active"] is True


@pytest.mark.requirement("A44", "I08")
async def test_each_new_token_can_be_refreshed_in_its_turn(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    seen = {tokens["refresh_token"]}
    for _ in range(5):
        tokens = await jeton.refreshed(app, tokens["refresh_token"])
        seen.add(tokens["refresh_token"])

    assert len(seen) == 6


@pytest.mark.requirement("K03")
async def test_an_earlier_access_token_stays_good_until_it_expires(jeton: Running, owner: App) -> None:
    first = await jeton.log_in(owner)
    await jeton.refreshed(owner, first["refresh_token"])

    assert (await jeton.introspect(owner, first["access_token"]))["active"] is True


@pytest.mark.requirement("I05", "I08", "K03", "O08")
async def test_a_replayed_token_ends_the_whole_family(jeton: Running, owner: App) -> None:
    first = await jeton.log_in(owner)
    second = await jeton.refreshed(owner, first["refresh_token"])

    assert await is_dead(jeton, owner, first["refresh_token"])

    assert await is_dead(jeton, owner, second["refresh_token"])
    assert await jeton.introspect(owner, first["access_token"]) == {"active": False}
    assert await jeton.introspect(owner, second["access_token"]) == {"active": False}


@pytest.mark.requirement("A47", "I05", "I08", "O08")
async def test_a_replay_of_any_earlier_token_ends_the_family(jeton: Running, app: App) -> None:
    chain = [(await jeton.log_in(app))["refresh_token"]]
    for _ in range(3):
        chain.append((await jeton.refreshed(app, chain[-1]))["refresh_token"])

    assert await is_dead(jeton, app, chain[0])
    assert await is_dead(jeton, app, chain[-1])


@pytest.mark.requirement("I08", "O08")
async def test_a_replay_ends_no_other_session_of_the_same_user(jeton: Running, app: App) -> None:
    phone, laptop = await jeton.log_in(app), await jeton.log_in(app)
    await jeton.refreshed(app, phone["refresh_token"])

    assert await is_dead(jeton, app, phone["refresh_token"])

    assert await jeton.refreshed(app, laptop["refresh_token"])


@pytest.mark.requirement("I08", "K03")
async def test_after_a_replay_the_user_may_log_in_again(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    await jeton.refreshed(app, tokens["refresh_token"])
    await jeton.refresh(app, tokens["refresh_token"])

    again = await jeton.log_in(app)

    assert await jeton.refreshed(app, again["refresh_token"])


@pytest.mark.requirement("I08", "O08")
async def test_a_replay_is_punished_even_where_it_asks_for_too_much(jeton: Running, app: App) -> None:
    first = await jeton.log_in(app)
    second = await jeton.refreshed(app, first["refresh_token"])

    await jeton.refresh(app, first["refresh_token"], scope="admin")

    assert await is_dead(jeton, app, second["refresh_token"])


@pytest.mark.requirement("I08", "O08")
async def test_a_replay_of_a_session_that_was_idle_too_long_is_no_way_back(jeton: Running, app: App) -> None:
    first = await jeton.log_in(app)
    second = await jeton.refreshed(app, first["refresh_token"])
    jeton.clock.advance(1209600)

    assert await is_dead(jeton, app, first["refresh_token"])
    assert await is_dead(jeton, app, second["refresh_token"])


@pytest.mark.requirement("A38", "I08", "N15")
async def test_a_replay_looks_like_any_other_refusal(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    await jeton.refreshed(app, tokens["refresh_token"])

    replay = await jeton.refresh(app, tokens["refresh_token"])
    afterwards = await jeton.refresh(app, tokens["refresh_token"])
    unknown = await jeton.refresh(app, "jrt_" + "A" * 76)

    def seen(response: httpx2.Response) -> object:
        return response.status_code, sorted(response.headers.multi_items()), response.content

    assert seen(replay) == seen(afterwards) == seen(unknown)


@pytest.mark.requirement("I08", "O08", "O16")
async def test_of_the_same_token_presented_many_times_at_once_at_most_one_is_honoured(jeton: Running, app: App) -> None:
    token = (await jeton.log_in(app))["refresh_token"]

    answers = await asyncio.gather(*(jeton.refresh(app, token) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    [won] = [answer.json()["refresh_token"] for answer in answers if answer.status_code == 200]
    assert await is_dead(jeton, app, won)


@pytest.mark.requirement("O01")
async def test_every_login_is_a_session_of_its_own(jeton: Running, owner: App) -> None:
    first, second = await jeton.log_in(owner), await jeton.log_in(owner)
    one, other = [await jeton.introspect(owner, tokens["access_token"]) for tokens in (first, second)]

    assert one["sid"] != other["sid"]
    assert one["jti"] != other["jti"]
    assert first["refresh_token"] != second["refresh_token"]


@pytest.mark.requirement("G04", "O01")
async def test_a_session_keeps_its_id_through_refreshes(jeton: Running, owner: App) -> None:
    first = await jeton.log_in(owner)
    second = await jeton.refreshed(owner, first["refresh_token"])
    before, after = [await jeton.introspect(owner, tokens["access_token"]) for tokens in (first, second)]

    assert before["sid"] == after["sid"]
    assert before["jti"] != after["jti"]


@pytest.mark.requirement("A13", "A36")
@pytest.mark.parametrize("more", [{}, {"refresh_token": ""}])
async def test_a_missing_refresh_token_is_named(jeton: Running, app: App, more: dict[str, str]) -> None:
    response = await jeton.token(app, None, grant_type="refresh_token", **more)

    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    assert response.json()["error_description"] == "The parameter refresh_token is missing."
