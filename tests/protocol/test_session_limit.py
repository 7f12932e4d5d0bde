"""limits.sessions_per_user: a session of an app or a browser beyond it ends the oldest one of its kind; exactly."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from jeton.login.browser_login import NewBrowserSession
from jeton.oauth.sessions import Source
from jeton.storage.families import insert_families
from jeton.storage.family_lists import list_families
from jeton.storage.tables import browser_sessions, logout_outbox
from support import builders
from support.authorization_codes import add_app, redeem
from support.browsing import browser
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
async def test_next_login_applies_limits(start: StartServer, settings: dict[str, str], before: int, after: int) -> None:
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


# Browser sessions (ASVS 7.1.2).


async def sign_in(node: Running) -> None:
    login = node.server.parts.logins.by_browser
    assert isinstance(await login.sign_in("alice", PASSWORD, "", Source("192.0.2.1"), None), NewBrowserSession)


@pytest.mark.requirement("SE09")
async def test_least_recently_used_browser_is_signed_out_and_its_apps_continue(start: StartServer) -> None:
    jeton = await start(LIMITS__SESSIONS_PER_USER="2")
    app = add_app(jeton, backchannel_logout_uri="https://app.example/logout")
    for name in ("alice", "bob"):
        jeton.add_user(name)
    async with AsyncExitStack() as stack:
        kept, ended, of_bob, new = [await stack.enter_async_context(browser(jeton)) for _ in range(4)]
        for it, name in ((kept, "alice"), (ended, "alice"), (of_bob, "bob")):
            await it.open_account(name)
        await ended.allow(app)
        tokens = (await redeem(jeton, app, ended.answer["code"])).json()
        jeton.clock.advance(60)
        assert await kept.is_signed_in()

        with capture_logs() as lines:
            await new.open_account("alice")

        assert [await it.is_signed_in() for it in (kept, ended, of_bob, new)] == [True, False, True, True]
    logged = [it["reason"] for it in lines if it["event"] == "browser_session_ended"]
    assert logged == ["too_many_sessions"]
    assert await jeton.refreshed(app, tokens["refresh_token"])
    assert jeton.count(logout_outbox) == 0


@pytest.mark.both_databases
@pytest.mark.requirement("SE09", "O16")
async def test_limit_of_browsers_is_exact_if_many_sign_in_at_once_on_two_nodes(start: StartServer) -> None:
    limits = {"LIMITS__SESSIONS_PER_USER": "3", "LIMITS__LOGIN_FAILURES_PER_ACCOUNT": "0"}
    nodes = [await start(**limits) for _ in range(2)]
    nodes[0].add_user()

    for _ in range(3):
        await asyncio.gather(*(sign_in(nodes[number % 2]) for number in range(12)))
        assert nodes[0].count(browser_sessions) == 3


@pytest.mark.both_databases
@pytest.mark.requirement("SE02", "SE09")
async def test_browser_session_is_deleted_at_its_idle_end(start: StartServer) -> None:
    jeton = await start(SESSIONS__IDLE_SECONDS="100", SESSIONS__ABSOLUTE_SECONDS="1000")
    jeton.add_user()
    await sign_in(jeton)

    for seconds, left in ((99, 1), (1, 0)):
        jeton.clock.advance(seconds)
        jeton.purge.delete_expired()
        assert jeton.count(browser_sessions) == left
