"""Races of registrations (RFC 7591) on two servers, with the outcome of a serial order."""

import asyncio
from collections import Counter
from typing import Any

import httpx2
import pytest

from jeton.admin.initial_access_tokens import create
from jeton.frozen import replace
from jeton.storage.clients import update_client
from support.authorization_codes import sign_in
from support.builders import CALLBACK
from support.in_process_server import App
from support.lock_contention import Nodes, PostgresqlContention, until

pytestmark = [pytest.mark.postgresql, pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)]
SETTINGS = {"REGISTRATION__DYNAMIC": "open", "LIMITS__REGISTRATIONS_PER_ADDRESS": "0"}
PUBLIC: dict[str, Any] = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
DAY = 86400


def register_32(nodes: Nodes, metadata: dict[str, Any], **headers: str) -> "asyncio.Future[list[httpx2.Response]]":
    """Send 32 requests concurrently, half of them to each server."""
    return asyncio.gather(
        *(nodes[number % 2].http.post("/oauth/register", json=metadata, headers=headers) for number in range(32))
    )


@pytest.mark.requirement("DR12", "O16")
async def test_thirty_two_registrations_of_the_same_public_client_are_one_client(nodes: Nodes) -> None:
    for name in ("a", "b", "c"):
        answers = await register_32(nodes, {**PUBLIC, "client_name": name})

        assert Counter(it.status_code for it in answers) == {201: 32}
        assert len({it.text for it in answers}) == 1
    assert sorted(it.name or "" for it in nodes[0].clients()) == ["a", "b", "c"]


@pytest.mark.requirement("DR02", "O16")
async def test_token_with_ten_uses_registers_ten_clients(nodes: Nodes) -> None:
    with nodes[0].database.write() as connection:
        _, token = create(connection, nodes[0].clock.now(), max_uses=10, seconds=60, name=None)

    answers = await register_32(nodes, PUBLIC, Authorization=f"Bearer {token}")

    assert Counter(it.status_code for it in answers) == {201: 10, 401: 22}
    assert len(nodes[0].clients()) == 10


@pytest.mark.requirement("DR12", "O16")
async def test_scope_that_another_server_takes_at_that_moment_stays_taken(
    nodes: Nodes, contention: PostgresqlContention
) -> None:
    await nodes[0].http.post("/oauth/register", json={**PUBLIC, "scope": "openid"})
    (client,) = nodes[0].clients()
    wider = replace(client, scope=frozenset({"profile"}))
    async with contention.locked_row("client", client.client_id) as connection:
        widening = asyncio.ensure_future(nodes[0].server.parts.storage.registrations.insert_shared(wider))
        await until(lambda: contention.waiting_connections() == 1, "the registration waits")
        update_client(connection, client.client_id, scope=frozenset())

    assert (await widening).scope == nodes[0].clients()[0].scope == {"profile"}


@pytest.mark.requirement("DR12", "O16")
async def test_client_that_is_being_used_is_not_deleted_for_lack_of_use(nodes: Nodes) -> None:
    """Codes are issued while other servers delete unused clients."""
    alice = sign_in(nodes[0], idle_expires_at=2**40, absolute_expires_at=2**40)
    for number in range(20):
        await nodes[0].http.post("/oauth/register", json={**PUBLIC, "client_name": f"App {number}"})
    apps = list(map(App, nodes[0].clients()))
    for node in nodes:
        node.clock.advance(8 * DAY)

    codes, _ = await asyncio.gather(
        asyncio.gather(*(alice.code(app, scope=frozenset({"openid"})) for app in apps), return_exceptions=True),
        asyncio.to_thread(nodes[1].purge.delete_expired_batch),
    )

    left = {it.client_id: it.last_used_at for it in nodes[0].clients()}
    issued = {app.client_id for app, code in zip(apps, codes, strict=True) if isinstance(code, str)}
    assert left == dict.fromkeys(issued, nodes[0].clock.now())


@pytest.mark.requirement("DR12", "O16")
async def test_use_is_recorded_without_waiting_for_a_lock_of_the_client(nodes: Nodes) -> None:
    """An administrator who deletes the client has locked it, and waits for the session that records the use."""
    alice = sign_in(nodes[0], idle_expires_at=2**40, absolute_expires_at=2**40)
    await nodes[0].http.post("/oauth/register", json={**PUBLIC, "grant_types": ["authorization_code", "refresh_token"]})
    app = App(nodes[0].clients()[0])
    tokens = await alice.redeemed(app, await alice.code(app, scope=frozenset({"profile"})))
    for node in nodes:
        node.clock.advance(2 * DAY)
    with nodes[1].database.write() as connection:
        connection.exec_driver_sql("SELECT 1 FROM clients FOR UPDATE")
        await nodes[0].refreshed(app, tokens["refresh_token"])
    assert nodes[0].clients()[0].last_used_at == nodes[0].clock.now() - 2 * DAY
