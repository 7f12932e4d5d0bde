"""Signing keys: planned rotation, to a key of the same or of another type, and revocation (RFC 7517, ADR 0011).

When a key changes its state is decided, and tested, in rules/key_lifecycle.py. Requests of operators: cli/test_keys.py.
"""

import time

import httpx2
import jwt
import pytest

from jeton.rules.key_lifecycle import CLOCK_SKEW_SECONDS, PROPAGATION_SECONDS, KeyState
from jeton.rules.key_series import active_and_next
from support.in_process_server import App, Running, StartServer
from support.responses import outcome
from support.signing_keys import by_state, new_token, published_kids, revoke_key, rotate, signer_of, stored_keys

JWKS = "/.well-known/jwks.json"
AHEAD, MAX_AGE, ACCESS = 86400, 300, 600
ACTIVE, NEXT, RETIRING, REVOKED = KeyState.ACTIVE, KeyState.NEXT, KeyState.RETIRING, KeyState.REVOKED


def advance(seconds: int, *nodes: Running) -> None:
    """Let time pass, then refresh each server."""
    for node in nodes:
        node.clock.advance(seconds)
        node.shared_state.refresh()


@pytest.mark.both_databases
@pytest.mark.requirement("E01", "E02", "E03", "E06", "E07", "E09", "O14")
async def test_first_successor_signs_at_once_and_what_was_signed_before_stays_valid(
    jeton: Running, app: App, start: StartServer
) -> None:
    session, before = await jeton.log_in(app), by_state(stored_keys(jeton))
    assert before.keys() == {ACTIVE, NEXT}
    assert await published_kids(jeton) == set(before.values())
    assert signer_of(session["access_token"]) == before[ACTIVE]
    known = {"If-None-Match": (await jeton.http.get(JWKS)).headers["etag"]}

    after = rotate(jeton)

    assert (after[ACTIVE], after[RETIRING]) == (before[NEXT], before[ACTIVE])
    assert after[NEXT] not in before.values()
    refreshed = await jeton.refreshed(app, session["refresh_token"])
    assert signer_of(refreshed["access_token"]) == after[ACTIVE]
    assert (await jeton.http.get(JWKS, headers=known)).status_code == 200
    for node in (jeton, await start()):
        assert await published_kids(node) == set(after.values())
        assert signer_of(await new_token(node, app)) == after[ACTIVE]
        for tokens in (session, refreshed):
            assert (await node.introspect(app, tokens["access_token"]))["active"] is True


@pytest.mark.requirement("E06")
async def test_server_rotates_by_itself_when_it_is_due_and_not_before(start: StartServer) -> None:
    jeton = await start(KEYS__ROTATE_SECONDS="1000", KEYS__PUBLISH_AHEAD_SECONDS="500")
    before = by_state(stored_keys(jeton))
    for seconds, signer in ((999, before[ACTIVE]), (1, before[NEXT])):
        advance(seconds, jeton)
        assert jeton.keyring.signer.kid == signer


# How long a key is published.


@pytest.mark.parametrize(
    ("setting", "lifetimes", "longest"),
    [
        pytest.param(ACCESS, {}, ACCESS, id="the setting"),
        pytest.param(3600, {"access_seconds": 60}, 3600, id="a setting that exceeds a client's"),
        pytest.param(ACCESS, {"access_seconds": 7200}, 7200, id="a client's that exceeds the setting"),
    ],
)
async def test_retiring_key_stays_as_long_as_a_token_of_it_may_live_and_is_then_deleted(
    start: StartServer, setting: int, lifetimes: dict[str, int], longest: int
) -> None:
    jeton = await start(TOKENS__ACCESS_SECONDS=str(setting))
    jeton.add_client(lifetimes=lifetimes)
    retiring = rotate(jeton)[RETIRING]

    advance(PROPAGATION_SECONDS + longest + MAX_AGE + CLOCK_SKEW_SECONDS - 1, jeton)
    assert retiring in await published_kids(jeton)

    advance(1, jeton)
    jeton.purge.delete_expired()
    assert retiring not in await published_kids(jeton)
    assert retiring not in {key.kid for key in stored_keys(jeton)}


@pytest.mark.parametrize("longer", ["client, until a moment ago", "another server"])
async def test_longest_lifetime_of_clients_and_servers_counts(jeton: Running, start: StartServer, longer: str) -> None:
    node = await start(TOKENS__ACCESS_SECONDS="7200") if longer == "another server" else jeton
    # A server promises its lifetime before it signs the first token.
    assert active_and_next(stored_keys(jeton))[0].longest_seconds == (7200 if node is not jeton else ACCESS)
    app = node.add_client(lifetimes={} if node is not jeton else {"access_seconds": 7200})
    token = await new_token(node, app)
    node.set_client(app.client_id, lifetimes={"access_seconds": 60})
    rotate(jeton)

    advance(7199, *{id(it): it for it in (jeton, node)}.values())
    jeton.purge.delete_expired()

    assert (await jeton.introspect(app, token))["active"] is True


@pytest.mark.requirement("O14")
async def test_only_active_and_next_key_have_a_private_part(jeton: Running) -> None:
    revoke_key(jeton, rotate(jeton)[ACTIVE])

    private = {key.state: bool(key.private_part) for key in stored_keys(jeton)}

    assert private == {RETIRING: False, REVOKED: False, ACTIVE: True, NEXT: True}


async def test_server_cut_off_from_its_database_does_not_sign_and_publishes_what_it_knows(jeton: Running) -> None:
    app, published = jeton.add_client(), await published_kids(jeton)
    jeton.keyring.update(stored_keys(jeton), time.monotonic() - MAX_AGE - PROPAGATION_SECONDS)

    assert (await jeton.token(app, grant_type="client_credentials")).status_code == 503
    assert await published_kids(jeton) == published
    assert (await jeton.http.get(JWKS)).headers["cache-control"] == "public, max-age=0"


# A key of another type.


@pytest.mark.requirement("F04")
async def test_another_algorithm_is_announced_at_once_and_signs_when_every_cache_knows_it(
    jeton: Running, start: StartServer
) -> None:
    before, app = by_state(stored_keys(jeton)), jeton.add_client()
    old = await new_token(jeton, app)

    switched = await start(KEYS__ALGORITHM="EdDSA")
    active, following = active_and_next(stored_keys(switched))
    assert (active.kid, following.algorithm) == (before[ACTIVE], "EdDSA")
    advance(AHEAD, jeton, switched)

    new = await new_token(jeton, app)
    assert (signer_of(new), jwt.get_unverified_header(new)["alg"]) == (following.kid, "EdDSA")
    assert {signer_of(old), signer_of(new)} < await published_kids(jeton) == await published_kids(switched)
    assert active_and_next(stored_keys(jeton))[1].algorithm == "EdDSA"
    assert (await switched.introspect(app, new))["active"] is True


@pytest.mark.parametrize(
    ("settings", "rsa_bits"),
    [({"KEYS__ALGORITHM": "EdDSA"}, None), ({"KEYS__ALGORITHM": "RS256", "KEYS__RSA_BITS": "3072"}, 3072)],
    ids=["EdDSA", "RSA of 3072 bits"],
)
async def test_successor_of_the_configured_type_replaces_one_that_never_signed(
    jeton: Running, start: StartServer, settings: dict[str, str], rsa_bits: int | None
) -> None:
    before = by_state(stored_keys(jeton))

    await start(**settings)

    after = by_state(stored_keys(jeton))
    assert (len(after), after[ACTIVE], after[NEXT] == before[NEXT]) == (2, before[ACTIVE], False)
    following = active_and_next(stored_keys(jeton))[1]
    assert (following.algorithm, following.key_type.rsa_bits) == (settings["KEYS__ALGORITHM"], rsa_bits)
    assert following.ready_at == jeton.clock.now() + AHEAD


async def test_servers_with_other_settings_do_not_undo_each_other_s_changes(jeton: Running, start: StartServer) -> None:
    await start(KEYS__ALGORITHM="EdDSA")
    announced = by_state(stored_keys(jeton))

    advance(0, jeton)
    rotate(jeton)
    advance(AHEAD, jeton)

    assert by_state(stored_keys(jeton))[ACTIVE] == announced[NEXT]
    assert active_and_next(stored_keys(jeton))[1].algorithm == "EdDSA"


async def test_setting_that_is_reverted_before_it_takes_effect_changes_no_signer(
    jeton: Running, start: StartServer
) -> None:
    signer = jeton.keyring.signer.kid
    await start(KEYS__ALGORITHM="EdDSA")
    advance(2 * AHEAD, jeton, await start())

    assert signer == jeton.keyring.signer.kid == by_state(stored_keys(jeton))[ACTIVE]
    assert sorted((key.state, key.algorithm) for key in stored_keys(jeton)) == [(ACTIVE, "RS256"), (NEXT, "RS256")]


# Revocation, in an emergency.


@pytest.mark.both_databases
@pytest.mark.requirement("D05", "D08", "O14")
async def test_revoked_key_leaves_the_key_set_at_once_and_ends_tokens_but_not_sessions(jeton: Running) -> None:
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


# The JWK Set (RFC 7517, 7518, 7638): its keys, and how long it is cached.


@pytest.fixture(scope="module")
async def response(shared_jeton: Running) -> httpx2.Response:
    return await shared_jeton.http.get(JWKS)


@pytest.mark.requirement("E01")
async def test_document_is_a_cacheable_key_set(response: httpx2.Response) -> None:
    assert list(response.json()) == ["keys"]
    assert response.headers["content-type"] == "application/jwk-set+json"
    assert response.headers["cache-control"] == "public, max-age=300"
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.requirement("E01")
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"], ids=["strong", "weak", "in a list", "any"])
async def test_cached_key_set_is_answered_304(shared_jeton: Running, response: httpx2.Response, form: str) -> None:
    etag = response.headers["etag"]

    again = await shared_jeton.http.get(JWKS, headers={"If-None-Match": form.format(etag)})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert again.headers["cache-control"] == "public, max-age=300"
    assert again.headers["access-control-allow-origin"] == "*"
