"""Races between signing in, signing out and concurrent changes at another server: the end of a session wins."""

from collections import Counter
from contextlib import AsyncExitStack

import httpx2
import pytest

from support.authorization_codes import add_app, redeem
from support.browsing import Browser, authorization_parameters, browser
from support.cli_functions import configured_for, disable_user
from support.in_process_server import App, Running
from support.lock_contention import Contention, Nodes, race_in_round

ROUNDS = 8


async def signed_in(stack: AsyncExitStack, node: Running, username: str) -> Browser:
    it = await stack.enter_async_context(browser(node))
    await it.open_account(username)
    assert it.path == "/me"
    return it


def on_other_node(one: Browser, browsers: Browser) -> Browser:
    """Return the same browser at another server."""
    for cookie in one.http.cookies.jar:
        browsers.http.cookies.jar.set_cookie(cookie)
    return browsers


async def request_code(it: Browser, app: App) -> httpx2.Response:
    return await it.http.get("/oauth/authorize", params=authorization_parameters(app, prompt="none"))


@pytest.mark.requirement("CO10", "LO08", "O16")
@pytest.mark.parametrize("ending", ["/sign-out", "/me/apps/end"])
async def test_no_code_survives_the_end_of_what_it_came_from(nodes: Nodes, contention: Contention, ending: str) -> None:
    app, outcomes = add_app(nodes[0]), Counter[str]()
    async with AsyncExitStack() as stack:
        for number in range(ROUNDS):
            user = nodes[0].add_user(f"user{number}")
            here = await signed_in(stack, nodes[0], user.username)
            token = here.form("/sign-out").fields["form_token"]
            await here.allow(app)
            there = on_other_node(here, await stack.enter_async_context(browser(nodes[1])))
            form = {"form_token": token, "client_id": app.client_id}
            runners = [request_code(there, app), here.http.post(ending, data=form)]

            answered, ended = await race_in_round(number, contention, "user", user.sub, *runners)

            assert ended.status_code == 303
            there.page = answered
            outcomes[there.answer.get("error", "code")] += 1
            if "code" in there.answer:
                after = await redeem(nodes[1], app, there.answer["code"])
                assert (after.status_code, after.json()["error"]) == (400, "invalid_grant")
    assert outcomes.keys() <= {"code", "login_required", "consent_required"}


@pytest.mark.requirement("O03", "O16")
async def test_no_user_is_signed_in_after_being_disabled(
    nodes: Nodes, contention: Contention, database_url: str
) -> None:
    with configured_for(database_url):
        async with AsyncExitStack() as stack:
            for number in range(ROUNDS):
                user = nodes[0].add_user(f"user{number}")
                it = await stack.enter_async_context(browser(nodes[number % 2]))
                await it.get("/me")
                runners = [it.sign_in(user.username), disable_user(user.username)]

                await race_in_round(number, contention, "user", user.sub, *runners)

                nodes[0].set_user(user.sub, disabled=False)
                assert not await it.is_signed_in()


@pytest.mark.requirement("SE01")
async def test_two_sign_ins_in_one_browser_leave_one_session(nodes: Nodes, contention: Contention) -> None:
    async with AsyncExitStack() as stack:
        for number in range(ROUNDS):
            user = nodes[0].add_user(f"user{number}")
            here = await signed_in(stack, nodes[0], user.username)
            await here.get("/sign-in")
            there = on_other_node(here, await stack.enter_async_context(browser(nodes[1])))
            there.page = here.page

            runners = [it.sign_in(user.username) for it in (here, there)]
            await contention.race("user", user.sub, *runners, servers=2)

            overview = await nodes[0].server.parts.storage.browser_session_lookups.overview(user.sub)
            assert len(overview.browser_sessions) == 1
