"""Revocation of signing keys, in an emergency (ADR 0011)."""

import pytest

from jeton.rules.key_lifecycle import CLOCK_SKEW_SECONDS, PROPAGATION_SECONDS, KeyChangeRefusedError, KeyState
from support.in_process_server import App, Running
from support.responses import outcome
from support.signing_keys import by_state, new_token, published_kids, revoke_key, rotate, signer_of, stored_keys

MAX_AGE, ACCESS = 300, 600
ACTIVE, NEXT, RETIRING, REVOKED = KeyState.ACTIVE, KeyState.NEXT, KeyState.RETIRING, KeyState.REVOKED


@pytest.mark.both_databases
@pytest.mark.requirement("D05", "D08", "O14")
async def test_revoked_key_leaves_the_key_set_at_once_its_tokens_end_and_sessions_go_on(jeton: Running) -> None:
    app, before = jeton.add_client(), by_state(stored_keys(jeton))
    jeton.add_user()
    tokens = await jeton.log_in(app)

    after = revoke_key(jeton, signer_of(tokens["access_token"]))

    assert (after[REVOKED], after[ACTIVE]) == (before[ACTIVE], before[NEXT])
    assert await published_kids(jeton) == {after[ACTIVE], after[NEXT]}
    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}
    refreshed = await jeton.refreshed(app, tokens["refresh_token"])
    assert signer_of(refreshed["access_token"]) == after[ACTIVE]
    assert (await jeton.introspect(app, refreshed["access_token"]))["active"] is True


@pytest.mark.parametrize("state", [NEXT, RETIRING])
async def test_revoking_another_key_leaves_the_one_that_signs(jeton: Running, state: KeyState) -> None:
    before = rotate(jeton)

    after = revoke_key(jeton, before[state])

    assert after[ACTIVE] == before[ACTIVE]
    assert (after[NEXT] == before[NEXT]) is (state is not NEXT)
    assert await published_kids(jeton) == {*before.values(), after[NEXT]} - {before[state]}


async def test_revoked_key_is_stored_until_its_tokens_would_have_expired(jeton: Running) -> None:
    revoke_key(jeton, by_state(stored_keys(jeton))[ACTIVE])

    jeton.clock.advance(PROPAGATION_SECONDS + ACCESS + MAX_AGE + CLOCK_SKEW_SECONDS - 1)
    assert jeton.purge.delete_expired() == 0
    jeton.clock.advance(1)
    assert jeton.purge.delete_expired() == 1


async def test_revoking_a_revoked_or_unknown_key_changes_nothing(jeton: Running) -> None:
    active = by_state(stored_keys(jeton))[ACTIVE]
    revoke_key(jeton, active)
    before = stored_keys(jeton)

    revoke_key(jeton, active)
    with pytest.raises(KeyChangeRefusedError, match="no-such-kid"):
        revoke_key(jeton, "no-such-kid")

    assert stored_keys(jeton) == before


async def test_nothing_is_signed_by_a_key_that_other_servers_may_not_publish_yet(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    for _ in range(2):
        keys = revoke_key(jeton, by_state(stored_keys(jeton))[ACTIVE])

    answers = [
        await jeton.token(app, grant_type="client_credentials"),
        await jeton.refresh(app, tokens["refresh_token"]),
    ]
    jeton.clock.advance(PROPAGATION_SECONDS)

    assert [outcome(it) for it in answers] == [(503, "temporarily_unavailable")] * 2
    assert all("retry-after" in it.headers for it in answers)
    assert signer_of(await new_token(jeton, app)) == keys[ACTIVE]
    assert await jeton.refreshed(app, tokens["refresh_token"])
