"""Races over one authorization code on two servers (RFC 6749 section 4.1.2), with the outcome of a serial order."""

import pytest

from support.authorization_codes import VERIFIER, SignedIn, add_app, redeem, sign_in
from support.in_process_server import App
from support.lock_contention import Contention, Nodes
from support.responses import outcomes
from support.stored_sessions import sid_of, stored_family


@pytest.fixture
def app(nodes: Nodes) -> App:
    return add_app(nodes[0])


@pytest.fixture
def alice(nodes: Nodes) -> SignedIn:
    return sign_in(nodes[0])


@pytest.mark.requirement("CO03", "CO04", "CO05", "O16", "A27")
@pytest.mark.parametrize("has_key", [False, True], ids=["no keys", "one idempotency key"])
async def test_fifty_redemptions_at_once_get_one_answer_and_each_refusal_ends_the_family(
    nodes: Nodes, contention: Contention, app: App, alice: SignedIn, has_key: bool
) -> None:
    for round_number in range(4):
        code, key = await alice.code(app), f"round {round_number}" if has_key else None
        redemptions = (redeem(nodes[number % 2], app, code, key) for number in range(50))

        responses = await contention.race("family", sid_of(code), *redemptions)

        answers = [it for it in responses if it.status_code == 200]
        assert outcomes(responses) == ({(200, None): 50} if has_key else {(200, None): 1, (400, "invalid_grant"): 49})
        assert len({it.content for it in answers}) == 1
        family = stored_family(nodes[0], code)
        assert family is not None
        assert (family.generation, family.revoke_reason) == (1, None if has_key else "code_reused")
        after = await nodes[1].refresh(app, answers[0].json()["refresh_token"])
        assert (after.status_code, after.json().get("error")) == ((200, None) if has_key else (400, "invalid_grant"))


@pytest.mark.requirement("CO04", "CO07", "CO08")
async def test_wrong_redemptions_at_the_same_time_do_not_hinder_the_right_one(
    nodes: Nodes, contention: Contention, app: App, alice: SignedIn
) -> None:
    other = add_app(nodes[0], "other")
    code = await alice.code(app)
    wrong = [
        request
        for number in range(10)
        for request in (
            redeem(nodes[number % 2], other, code),
            redeem(nodes[number % 2], app, code, code_verifier=VERIFIER[::-1]),
            redeem(nodes[number % 2], app, code, redirect_uri="https://app.example/other"),
        )
    ]

    responses = await contention.race("family", sid_of(code), *wrong[:15], redeem(nodes[1], app, code), *wrong[15:])

    assert outcomes(responses) == {(200, None): 1, (400, "invalid_grant"): 30}
    issued = next(it for it in responses if it.status_code == 200).json()["refresh_token"]
    await nodes[0].refreshed(app, issued)
