"""Races over one session on two servers (RFC 6749 section 6, RFC 9700 section 4.14.2): they end as if in a row.

Each race begins while a third party holds the lock that all of them need, and is let loose only when they wait.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence

import httpx2
import pytest

from jeton.crypto.refresh_token import parse_refresh_token
from jeton.oauth.sessions import Family
from jeton.storage.families import load_families
from support.in_process_server import App, Running
from support.lock_contention import Contention

Nodes = tuple[Running, Running]


def sid_of(refresh_token: str) -> str:
    presented = parse_refresh_token(refresh_token)
    assert presented is not None
    return presented.sid


def family_of(node: Running, refresh_token: str) -> Family:
    with node.database.read() as connection:
        return load_families(connection, [sid_of(refresh_token)])[sid_of(refresh_token)]


def statuses(responses: Sequence[httpx2.Response]) -> Counter[tuple[int, str | None]]:
    """How often each status and error code was answered."""
    return Counter((it.status_code, it.json().get("error") if it.content else None) for it in responses)


async def account(nodes: Nodes, *, retry_grace_seconds: int = 0) -> App:
    nodes[0].add_user()
    return nodes[0].add_client(lifetimes={"retry_grace_seconds": retry_grace_seconds})


@pytest.mark.requirement("I08", "O16", "K03")
async def test_of_fifty_refreshes_at_once_one_is_answered_and_the_family_is_dead(
    nodes: Nodes, contention: Contention
) -> None:
    app = await account(nodes)
    for _ in range(30):
        token = (await nodes[0].log_in(app))["refresh_token"]

        responses = await contention.race(
            "family", sid_of(token), *(nodes[number % 2].refresh(app, token) for number in range(50))
        )

        assert statuses(responses) == {(200, None): 1, (400, "invalid_grant"): 49}
        successor = next(it for it in responses if it.status_code == 200).json()["refresh_token"]
        after = await nodes[1].refresh(app, successor)
        assert (after.status_code, after.json()["error"]) == (400, "invalid_grant")
        family = family_of(nodes[0], token)
        assert (family.generation, family.revoke_reason) == (1, "refresh_token_reused")


@pytest.mark.requirement("I08", "O16")
async def test_fifty_refreshes_with_one_idempotency_key_get_one_answer_and_rotate_once(
    nodes: Nodes, contention: Contention
) -> None:
    app = await account(nodes)
    for round_number in range(10):
        token = (await nodes[0].log_in(app))["refresh_token"]

        responses = await contention.race(
            "family",
            sid_of(token),
            *(nodes[number % 2].refresh(app, token, f"round {round_number}") for number in range(50)),
        )

        assert statuses(responses) == {(200, None): 50}
        assert len({it.content for it in responses}) == 1
        assert family_of(nodes[0], token).generation == 1
        await nodes[1].refreshed(app, responses[0].json()["refresh_token"])


async def test_of_fifty_refreshes_with_keys_of_their_own_one_is_answered(nodes: Nodes, contention: Contention) -> None:
    app = await account(nodes)
    for _ in range(5):
        token = (await nodes[0].log_in(app))["refresh_token"]

        responses = await contention.race(
            "family", sid_of(token), *(nodes[number % 2].refresh(app, token, f"key {number}") for number in range(50))
        )

        assert statuses(responses) == {(200, None): 1, (400, "invalid_grant"): 49}
        assert family_of(nodes[0], token).revoke_reason == "refresh_token_reused"


async def test_parallel_refreshes_within_the_grace_all_get_the_one_answer(nodes: Nodes, contention: Contention) -> None:
    app = await account(nodes, retry_grace_seconds=10)
    for _ in range(10):
        token = (await nodes[0].log_in(app))["refresh_token"]

        responses = await contention.race(
            "family", sid_of(token), *(nodes[number % 2].refresh(app, token) for number in range(6))
        )

        assert statuses(responses) == {(200, None): 6}
        assert len({it.content for it in responses}) == 1
        await nodes[1].refreshed(app, responses[0].json()["refresh_token"])


async def test_a_burst_beyond_the_grace_is_a_replay(nodes: Nodes, contention: Contention) -> None:
    app = await account(nodes, retry_grace_seconds=10)
    token = (await nodes[0].log_in(app))["refresh_token"]

    responses = await contention.race(
        "family", sid_of(token), *(nodes[number % 2].refresh(app, token) for number in range(50))
    )

    assert statuses(responses) == {(200, None): 6, (400, "invalid_grant"): 44}
    assert family_of(nodes[0], token).revoked_at is not None


@pytest.mark.requirement("C04", "O16", "K02")
async def test_a_session_revoked_while_it_is_refreshed_is_dead_in_the_end(nodes: Nodes, contention: Contention) -> None:
    app = await account(nodes)
    refreshed: Counter[int] = Counter()
    for number in range(200):
        token = (await nodes[0].log_in(app))["refresh_token"]
        requests = [nodes[0].refresh(app, token), nodes[1].revoke(app, token)]
        if number % 2:
            requests.reverse()

        if number % 4 < 2:
            responses = await contention.race("family", sid_of(token), *requests)
        else:
            responses = await asyncio.gather(*requests)

        refresh, revoke = reversed(responses) if number % 2 else responses
        refreshed[refresh.status_code] += 1
        assert revoke.status_code == 200
        newest = refresh.json().get("refresh_token", token)
        assert (await nodes[number % 2].refresh(app, newest)).json()["error"] == "invalid_grant"
        assert family_of(nodes[0], token).revoked_at is not None
    # Both orders came up: neither side won by always being first.
    assert refreshed.keys() == {200, 400}


@pytest.mark.requirement("I08", "O08")
async def test_a_replay_racing_the_honest_refresh_kills_whatever_comes_out(
    nodes: Nodes, contention: Contention
) -> None:
    app = await account(nodes)
    for number in range(40):
        stolen = (await nodes[0].log_in(app))["refresh_token"]
        honest = (await nodes[0].refreshed(app, stolen))["refresh_token"]
        requests = [nodes[0].refresh(app, honest), nodes[1].refresh(app, stolen)]
        if number % 2:
            requests.reverse()

        responses = await contention.race("family", sid_of(stolen), *requests)

        answer, replay = reversed(responses) if number % 2 else responses
        assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
        assert answer.status_code in (200, 400)
        newest = answer.json().get("refresh_token", honest)
        assert (await nodes[0].refresh(app, newest)).json()["error"] == "invalid_grant"
        assert family_of(nodes[0], stolen).revoke_reason == "refresh_token_reused"
