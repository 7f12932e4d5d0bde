"""Browser sessions of a user: no more than limits.sessions_per_user, and none that has expired is kept (ASVS 7.1.2)."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from jeton.login.browser_login import NewBrowserSession
from jeton.oauth.sessions import Source
from jeton.storage.tables import browser_sessions, logout_outbox
from support.authorization_codes import add_app, redeem
from support.browsing import Browser, browser
from support.in_process_server import PASSWORD, Running, StartServer


async def sign_in(node: Running) -> None:
    login = node.server.parts.logins.by_browser
    assert isinstance(await login.sign_in("alice", PASSWORD, "", Source("192.0.2.1"), None), NewBrowserSession)


async def is_signed_in(it: Browser) -> bool:
    await it.get("/me")
    return it.path == "/me"


@pytest.mark.requirement("SE09")
async def test_least_recently_used_browser_is_signed_out_and_its_apps_go_on(start: StartServer) -> None:
    jeton = await start(LIMITS__SESSIONS_PER_USER="2")
    app = add_app(jeton, backchannel_logout_uri="https://app.example/logout")
    for name in ("alice", "bob"):
        jeton.add_user(name)
    async with AsyncExitStack() as stack:
        kept, ended, of_bob, new = [await stack.enter_async_context(browser(jeton)) for _ in range(4)]
        for it, name in ((kept, "alice"), (ended, "alice"), (of_bob, "bob")):
            assert not await is_signed_in(it)
            await it.sign_in(name)
        await ended.allow(app)
        tokens = (await redeem(jeton, app, ended.answer["code"])).json()
        jeton.clock.advance(60)
        assert await is_signed_in(kept)

        await new.get("/me")
        with capture_logs() as lines:
            await new.sign_in("alice")

        assert [await is_signed_in(it) for it in (kept, ended, of_bob, new)] == [True, False, True, True]
    logged = [it["reason"] for it in lines if it["event"] == "browser_session_ended"]
    assert logged == ["too_many_sessions"]
    assert await jeton.refreshed(app, tokens["refresh_token"])
    assert jeton.count(logout_outbox) == 0


@pytest.mark.both_databases
@pytest.mark.requirement("SE09", "O16")
async def test_limit_is_exact_if_many_sign_in_at_once_on_two_nodes(start: StartServer) -> None:
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
