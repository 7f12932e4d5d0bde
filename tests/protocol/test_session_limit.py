"""limits.sessions_per_user: a session beyond it ends the oldest one; exactly, even if many logins come at once."""

import asyncio

import pytest
from structlog.testing import capture_logs

from jeton.storage.families import insert_families, list_families
from support import builders
from support.in_process_server import PASSWORD, START, Running, StartServer
from support.responses import outcome


def count_live(jeton: Running) -> int:
    with jeton.database.read() as connection:
        return len(list_families(connection, jeton.clock.now()))


@pytest.mark.both_databases
@pytest.mark.requirement("O13")
async def test_session_beyond_the_limit_ends_the_oldest_with_all_its_tokens(start: StartServer) -> None:
    jeton = await start(LIMITS__SESSIONS_PER_USER="3")
    jeton.add_user()
    apps = [jeton.add_client(name) for name in ("web", "phone")] * 2
    sessions = []
    with capture_logs() as lines:
        for app in apps:
            sessions.append(await jeton.log_in(app))
            jeton.clock.advance(1)
        sessions.append(await jeton.log_in(apps[0]))
    told = [await jeton.introspect(app, it["access_token"]) for app, it in zip([*apps, apps[0]], sessions, strict=True)]

    assert [it["active"] for it in told] == [False, False, True, True, True]
    assert outcome(await jeton.refresh(apps[0], sessions[0]["refresh_token"])) == (400, "invalid_grant")
    assert await jeton.refreshed(apps[0], sessions[2]["refresh_token"])
    ended = [it for it in lines if it["event"] == "session_ended"]
    assert [it["reason"] for it in ended] == ["too_many_sessions"] * 2


@pytest.mark.both_databases
@pytest.mark.requirement("O13", "O16")
async def test_limit_is_exact_if_many_log_in_at_once_on_two_nodes(start: StartServer) -> None:
    limit = 5
    # Logins under way count as failures until they succeed.
    limits = {"LIMITS__SESSIONS_PER_USER": str(limit), "LIMITS__LOGIN_FAILURES_PER_ACCOUNT": "0"}
    nodes = [await start(**limits) for _ in range(2)]
    nodes[0].add_user()
    app = nodes[0].add_client()
    login = {"grant_type": "password", "username": "alice", "password": PASSWORD}
    for _ in range(3):
        await nodes[0].log_in(app)

    for _ in range(3):
        answers = await asyncio.gather(*(nodes[number % 2].token(app, None, **login) for number in range(12)))

        assert {it.status_code for it in answers} <= {200, 503}
        assert [it.status_code for it in answers].count(200) > limit
        assert count_live(nodes[0]) == limit


@pytest.mark.both_databases
async def test_sessions_of_others_and_ended_ones_do_not_count(start: StartServer) -> None:
    jeton = await start(LIMITS__SESSIONS_PER_USER="2")
    jeton.add_user()
    jeton.add_user("bob")
    app = jeton.add_client(lifetimes={"refresh_idle_seconds": 100})
    await jeton.log_in(app)
    jeton.clock.advance(100)
    bobs = [await jeton.log_in(app, "bob") for _ in range(2)]
    first, logged_out = await jeton.log_in(app), await jeton.log_in(app)
    await jeton.revoke(app, logged_out["refresh_token"])

    await jeton.log_in(app)

    for tokens in (first, *bobs):
        assert await jeton.refreshed(app, tokens["refresh_token"])


@pytest.mark.parametrize(
    ("settings", "before", "after"),
    [
        pytest.param({}, 99, 100, id="100 by default"),
        pytest.param({}, 102, 100, id="more sessions than the limit"),
        pytest.param({"LIMITS__SESSIONS_PER_USER": "0"}, 102, 103, id="0: no limit"),
    ],
)
async def test_next_login_applies_the_limit(
    start: StartServer, settings: dict[str, str], before: int, after: int
) -> None:
    jeton = await start(**settings)
    user, app = jeton.add_user(), jeton.add_client()
    with jeton.database.write() as connection:
        insert_families(
            connection,
            [
                builders.family(str(number), now=START, sub=user.sub, idle_expires_at=START + 1)
                for number in range(before)
            ],
        )

    await jeton.log_in(app)

    assert count_live(jeton) == after
