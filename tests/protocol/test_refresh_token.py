"""Refreshing: rotation, and what a replay ends (RFC 6749 section 6, RFC 9700 section 4.14)."""

import asyncio

import pytest

from support.in_process_server import App, Running
from support.responses import outcome

REFUSED = (400, "invalid_grant")
both_kinds_of_client = pytest.mark.parametrize("public", [False, True], ids=["confidential", "public"])


@pytest.fixture
def app(jeton: Running) -> App:
    jeton.add_user()
    return jeton.add_client()


async def refreshed_times(jeton: Running, app: App, times: int) -> list[str]:
    """Return the refresh tokens of one session, in the order of their issue."""
    tokens = [(await jeton.log_in(app))["refresh_token"]]
    for _ in range(times):
        tokens.append((await jeton.refreshed(app, tokens[-1]))["refresh_token"])
    return tokens


@pytest.mark.both_databases
@pytest.mark.requirement("A44", "G04", "I05", "K03", "O01")
async def test_refresh_issues_new_tokens_of_the_same_session_and_ends_no_access_token(jeton: Running, app: App) -> None:
    first = await jeton.log_in(app)
    second = await jeton.refreshed(app, first["refresh_token"])
    before, after = [await jeton.introspect(app, it["access_token"]) for it in (first, second)]

    assert (before["active"], after["active"]) == (True, True)
    assert before["sid"] == after["sid"]
    assert before["jti"] != after["jti"]
    assert first["refresh_token"] != second["refresh_token"]


@pytest.mark.requirement("O01")
async def test_every_login_is_a_session_of_its_own(jeton: Running, app: App) -> None:
    first, second = await jeton.log_in(app), await jeton.log_in(app)
    one, other = [await jeton.introspect(app, it["access_token"]) for it in (first, second)]

    assert one["sid"] != other["sid"]
    assert one["jti"] != other["jti"]
    assert first["refresh_token"] != second["refresh_token"]


@both_kinds_of_client
@pytest.mark.requirement("A44", "I08")
async def test_each_new_token_can_be_refreshed_in_its_turn(jeton: Running, public: bool) -> None:
    jeton.add_user()

    assert len(set(await refreshed_times(jeton, jeton.add_client(public=public), 5))) == 6


@pytest.mark.both_databases
@both_kinds_of_client
@pytest.mark.requirement("A47", "I05", "I08", "O08")
@pytest.mark.parametrize(
    ("replayed", "scope"),
    [(0, None), (2, None), (2, "admin")],
    ids=["the first token", "the parent", "the parent, with too much scope"],
)
async def test_replay_of_any_earlier_token_ends_the_session_and_no_other(
    jeton: Running, public: bool, replayed: int, scope: str | None
) -> None:
    jeton.add_user()
    app = jeton.add_client(public=public)
    laptop, phone = await refreshed_times(jeton, app, 0), await refreshed_times(jeton, app, 3)

    await jeton.refresh(app, phone[replayed], **({"scope": scope} if scope else {}))

    assert outcome(await jeton.refresh(app, phone[-1])) == REFUSED
    assert await jeton.refreshed(app, laptop[0])
    assert await jeton.log_in(app)


@pytest.mark.requirement("I08", "K03")
async def test_replay_ends_all_access_tokens_of_the_session(jeton: Running, app: App) -> None:
    first = await jeton.log_in(app)
    second = await jeton.refreshed(app, first["refresh_token"])

    assert outcome(await jeton.refresh(app, first["refresh_token"])) == REFUSED

    for tokens in (first, second):
        assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}


@pytest.mark.both_databases
@pytest.mark.requirement("I08", "O08", "O16")
async def test_of_one_token_presented_many_times_at_once_at_most_one_is_honoured(jeton: Running, app: App) -> None:
    [token] = await refreshed_times(jeton, app, 0)

    answers = await asyncio.gather(*(jeton.refresh(app, token) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    [won] = [answer.json()["refresh_token"] for answer in answers if answer.status_code == 200]
    assert outcome(await jeton.refresh(app, won)) == REFUSED
