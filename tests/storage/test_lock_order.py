"""Locks are taken in one order by everybody, on PostgreSQL: nobody waits in a ring, so nobody has to be undone."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest

from jeton.crypto.refresh_token import parse_refresh_token
from support.cli_functions import (
    configured_for,
    delete_client,
    delete_user,
    disable_user,
    revoke_all_sessions,
    set_password,
)
from support.in_process_server import App, Running, running, settings_for
from support.lock_contention import OnPostgresql, until

pytestmark = [pytest.mark.postgresql, pytest.mark.requirement("O16"), pytest.mark.usefixtures("patience")]


@pytest.fixture
def third(postgresql_url: str) -> Iterator[OnPostgresql]:
    contention = OnPostgresql(postgresql_url)
    yield contention
    contention.close()


def sid_of(refresh_token: str) -> str:
    presented = parse_refresh_token(refresh_token)
    assert presented is not None
    return presented.sid


async def sessions_not_in_the_order_of_their_sids(node: Running, app: App) -> list[str]:
    """Refresh tokens of eight sessions; the one with the smallest sid is not the one that was written first."""
    tokens: list[str] = []
    while len(tokens) < 8 or min(tokens, key=sid_of) == tokens[0]:
        tokens = [*tokens[-7:], (await node.log_in(app))["refresh_token"]]
    return tokens


@pytest.mark.parametrize(
    "operate",
    [
        pytest.param(lambda: set_password("alice"), id="password changed"),
        pytest.param(lambda: disable_user("alice"), id="user disabled"),
        pytest.param(lambda: delete_user("alice"), id="user deleted"),
        pytest.param(lambda: delete_client("web"), id="client deleted"),
        pytest.param(revoke_all_sessions, id="all sessions revoked"),
    ],
)
@pytest.mark.parametrize(
    "held", [lambda tokens: min(map(sid_of, tokens)), lambda tokens: sid_of(tokens[0])], ids=["smallest", "oldest"]
)
async def test_a_command_and_a_group_of_refreshes_wait_for_each_other_in_one_order(
    postgresql_url: str,
    third: OnPostgresql,
    operate: Callable[[], Awaitable[None]],
    held: Callable[[list[str]], str],
) -> None:
    """Each waits for one session while it holds others, if it took them in an order of its own."""
    with configured_for(postgresql_url):
        async with running(settings_for(postgresql_url)) as node:
            app = node.add_client()
            node.add_user()
            tokens = await sessions_not_in_the_order_of_their_sids(node, app)
            async with third.holding("family", held(tokens)):
                refreshes = [asyncio.ensure_future(node.refresh(app, token)) for token in tokens]
                await until(lambda: third.waiting() == 1, "the refreshes waiting for their first family")
                operating = asyncio.ensure_future(operate())
                await until(lambda: third.waiting() == 2, "the command waiting")
            responses = await asyncio.gather(*refreshes)
            await operating
    # Whatever was not of the first group may have come after the command.
    assert {it.status_code for it in responses} <= {200, 400}
    assert await third.deadlocks() == 0


async def test_two_servers_that_refresh_the_same_sessions_in_any_order_never_wait_in_a_ring(
    postgresql_url: str, third: OnPostgresql
) -> None:
    settings = settings_for(postgresql_url, LIMITS__SESSIONS_PER_USER="0")
    async with running(settings) as one, running(settings) as two:
        app = one.add_client()
        one.add_user()
        for _ in range(10):
            tokens = [(await one.log_in(app))["refresh_token"] for _ in range(20)]
            requests: list[Awaitable[httpx2.Response]] = []
            for ahead, back in zip(tokens, reversed(tokens), strict=True):
                requests += [one.refresh(app, ahead, "key"), two.refresh(app, back, "key")]
            responses = await third.race("family", sid_of(tokens[10]), *requests)
            assert {it.status_code for it in responses} == {200}
    assert await third.deadlocks() == 0


async def test_two_servers_that_end_the_same_access_tokens_in_any_order_never_wait_in_a_ring(
    postgresql_url: str, third: OnPostgresql
) -> None:
    async with running(settings_for(postgresql_url)) as one, running(settings_for(postgresql_url)) as two:
        app = one.add_client()
        for _ in range(10):
            answers = await asyncio.gather(*(one.token(app, grant_type="client_credentials") for _ in range(60)))
            tokens = [it.json()["access_token"] for it in answers]
            requests: list[Any] = []
            for ahead, back in zip(tokens, reversed(tokens), strict=True):
                requests += [one.revoke(app, ahead), two.revoke(app, back)]
            responses = await asyncio.gather(*requests)
            assert {it.status_code for it in responses} == {200}
    assert await third.deadlocks() == 0
