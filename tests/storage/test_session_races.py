"""Races over one session on two servers (RFC 6749 section 6, RFC 9700 section 4.14.2) end as if one after the other.

Each race begins while another connection holds the lock that all of them need, and continues only when they wait.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from support.lock_contention import Contention, Nodes, race_in_round
from support.stored_sessions import revoke_reason, sid_of, stored_family


@pytest.mark.requirement("I08", "O16", "K03")
@pytest.mark.parametrize(
    ("rounds", "count", "key", "grace_seconds", "answered"),
    [
        pytest.param(4, 50, lambda *_: None, 0, 1, id="no keys"),
        pytest.param(4, 50, lambda number, _: f"round {number}", 0, 50, id="one idempotency key"),
        pytest.param(4, 50, lambda _, caller: f"key {caller}", 0, 1, id="idempotency keys of their own"),
        pytest.param(4, 6, lambda *_: None, 10, 6, id="as many as the grace period allows"),
        pytest.param(1, 50, lambda *_: None, 10, 6, id="more than the grace period allows"),
    ],
)
async def test_refreshes_at_once_get_one_new_token_and_each_refusal_is_a_replay(
    nodes: Nodes,
    contention: Contention,
    rounds: int,
    count: int,
    key: Callable[[int, int], str | None],
    grace_seconds: int,
    answered: int,
) -> None:
    nodes[0].add_user()
    app = nodes[0].add_client(lifetimes={"retry_grace_seconds": grace_seconds})
    for number in range(rounds):
        token = (await nodes[0].log_in(app))["refresh_token"]
        refreshes = (nodes[it % 2].refresh(app, token, key(number, it)) for it in range(count))

        responses = await contention.race("family", sid_of(token), *refreshes)

        answers = [it for it in responses if it.status_code == 200]
        refusals = [(it.status_code, it.json()["error"]) for it in responses if it not in answers]
        assert (len(answers), refusals) == (answered, [(400, "invalid_grant")] * (count - answered))
        assert len({it.content for it in answers}) == 1
        family = stored_family(nodes[0], token)
        assert family is not None
        assert (family.generation, family.revoke_reason) == (1, "refresh_token_reused" if refusals else None)
        after = await nodes[1].refresh(app, answers[0].json()["refresh_token"])
        assert (after.status_code, after.json().get("error")) == ((400, "invalid_grant") if refusals else (200, None))


@pytest.mark.requirement("C04", "O16", "K02")
async def test_a_session_that_is_revoked_while_it_is_refreshed_has_ended(nodes: Nodes, contention: Contention) -> None:
    nodes[0].add_user()
    app, refreshed = nodes[0].add_client(), Counter[int]()
    for number in range(16):
        token = (await nodes[0].log_in(app))["refresh_token"]
        requests = nodes[0].refresh(app, token), nodes[1].revoke(app, token)

        if number % 4 < 2:
            refresh, revoke = await race_in_round(number, contention, "family", sid_of(token), *requests)
        elif number % 2:
            revoke, refresh = await asyncio.gather(*requests[::-1])
        else:
            refresh, revoke = await asyncio.gather(*requests)

        refreshed[refresh.status_code] += 1
        assert revoke.status_code == 200
        newest = refresh.json().get("refresh_token", token)
        assert (await nodes[number % 2].refresh(app, newest)).json()["error"] == "invalid_grant"
        assert revoke_reason(nodes[0], token) is not None
    # Both orders occurred, so the result does not depend on the order.
    assert refreshed.keys() == {200, 400}


@pytest.mark.requirement("I08", "O08")
async def test_a_replay_at_the_same_time_as_the_honest_refresh_ends_the_session(
    nodes: Nodes, contention: Contention
) -> None:
    nodes[0].add_user()
    app = nodes[0].add_client()
    for number in range(10):
        stolen = (await nodes[0].log_in(app))["refresh_token"]
        honest = (await nodes[0].refreshed(app, stolen))["refresh_token"]
        requests = nodes[0].refresh(app, honest), nodes[1].refresh(app, stolen)

        answer, replay = await race_in_round(number, contention, "family", sid_of(stolen), *requests)

        assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
        assert answer.status_code in (200, 400)
        newest = answer.json().get("refresh_token", honest)
        assert (await nodes[0].refresh(app, newest)).json()["error"] == "invalid_grant"
        assert revoke_reason(nodes[0], stolen) == "refresh_token_reused"
