"""All transactions take locks in one order on PostgreSQL, so that they never deadlock."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from support.cli_functions import (
    configured_for,
    delete_client,
    delete_user,
    disable_user,
    revoke_all_sessions,
    set_password,
)
from support.in_process_server import PASSWORD, Running, running, settings_for
from support.lock_contention import PostgresqlContention, until
from support.stored_sessions import sid_of

pytestmark = [pytest.mark.postgresql, pytest.mark.requirement("O16"), pytest.mark.usefixtures("long_lock_timeouts")]

Tokens = dict[str, Any]


async def change_password(node: Running, tokens: Tokens) -> None:
    answer = await node.change_password(tokens["access_token"], PASSWORD[::-1])
    assert answer.json() == {"sessions_ended": 8}


@pytest.mark.parametrize(
    "operate",
    [
        pytest.param(lambda *_: set_password("alice"), id="password set"),
        pytest.param(lambda *_: disable_user("alice"), id="user disabled"),
        pytest.param(lambda *_: delete_user("alice"), id="user deleted"),
        pytest.param(lambda *_: delete_client("web"), id="client deleted"),
        pytest.param(lambda *_: revoke_all_sessions(), id="all sessions revoked"),
        pytest.param(change_password, id="password changed by the user"),
    ],
)
async def test_refreshes_that_wait_for_a_session_hold_no_lock_that_what_ends_the_sessions_needs(
    postgresql_url: str, locks: PostgresqlContention, operate: Callable[[Running, Tokens], Awaitable[None]]
) -> None:
    settings = settings_for(postgresql_url, LIMITS__SESSIONS_PER_USER="8")
    with configured_for(postgresql_url):
        async with running(settings) as node, running(settings) as other:
            app = node.add_client(scope=frozenset({"account"}))
            node.add_user()
            sessions = [await node.log_in(app) for _ in range(8)]
            async with locks.locked_row("family", sid(sessions[0])):
                refreshes = [asyncio.ensure_future(node.refresh(app, it["refresh_token"])) for it in sessions]
                await until(lambda: locks.waiting_connections() == 1, "the refreshes waiting for their first family")
                operating = asyncio.ensure_future(operate(other, sessions[0]))
                await until(lambda: locks.waiting_connections() == 2, "the other transaction waiting")
            responses = await asyncio.gather(*refreshes)
            await operating
    # Refreshes outside the first batch may have run after the other transaction.
    assert {it.status_code for it in responses} <= {200, 400}
    assert await locks.deadlocks() == 0


@pytest.mark.parametrize("operate", [lambda: delete_client("web"), revoke_all_sessions], ids=["client", "all"])
async def test_what_ends_several_sessions_locks_them_in_one_order(
    postgresql_url: str, locks: PostgresqlContention, operate: Callable[[], Awaitable[object]]
) -> None:
    """Both wait for their first session. With different orders, each would then wait for one that the other locks."""
    with configured_for(postgresql_url):
        async with running(settings_for(postgresql_url)) as node:
            app = node.add_client(scope=frozenset({"account"}))
            node.add_user()
            sessions = [await node.log_in(app) for _ in range(20)]
            headers = {"Authorization": f"Bearer {sessions[0]['access_token']}"}
            async with locks.locked_row("family", *map(sid, sessions)):
                ending = asyncio.ensure_future(node.http.delete("/account/sessions", headers=headers))
                await until(lambda: locks.waiting_connections() == 1, "the user's request waiting")
                operating = asyncio.ensure_future(operate())
                await until(lambda: locks.waiting_connections() == 2, "the other transaction waiting")
            # On a busy machine, the one that began to wait last may be first.
            assert (await ending).json()["sessions_ended"] in (0, 20)
            await operating
    assert await locks.deadlocks() == 0


def sid(tokens: Tokens) -> str:
    return sid_of(tokens["refresh_token"])


def in_opposite_orders(
    first: Callable[[str], Awaitable[httpx2.Response]],
    second: Callable[[str], Awaitable[httpx2.Response]],
    tokens: list[str],
) -> list[Awaitable[httpx2.Response]]:
    """Return requests to two servers, of which one takes the tokens in reverse order."""
    pairs = zip(tokens, reversed(tokens), strict=True)
    return [request for ahead, back in pairs for request in (first(ahead), second(back))]


async def test_two_servers_that_refresh_the_same_sessions_in_opposite_orders_never_deadlock(
    postgresql_url: str, locks: PostgresqlContention
) -> None:
    settings = settings_for(postgresql_url, LIMITS__SESSIONS_PER_USER="0")
    async with running(settings) as one, running(settings) as two:
        app = one.add_client()
        one.add_user()
        for _ in range(4):
            tokens = [(await one.log_in(app))["refresh_token"] for _ in range(20)]
            requests = in_opposite_orders(
                lambda it: one.refresh(app, it, "key"), lambda it: two.refresh(app, it, "key"), tokens
            )
            responses = await locks.race("family", sid_of(tokens[10]), *requests)
            assert {it.status_code for it in responses} == {200}
    assert await locks.deadlocks() == 0


async def test_two_servers_that_revoke_the_same_access_tokens_in_opposite_orders_never_deadlock(
    postgresql_url: str, locks: PostgresqlContention
) -> None:
    async with running(settings_for(postgresql_url)) as one, running(settings_for(postgresql_url)) as two:
        app = one.add_client()
        for _ in range(4):
            answers = await asyncio.gather(*(one.token(app, grant_type="client_credentials") for _ in range(60)))
            tokens = [it.json()["access_token"] for it in answers]
            requests = in_opposite_orders(lambda it: one.revoke(app, it), lambda it: two.revoke(app, it), tokens)
            assert {it.status_code for it in await asyncio.gather(*requests)} == {200}
    assert await locks.deadlocks() == 0
