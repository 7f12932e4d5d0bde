"""The life of signing keys (RFC 7517): planned rotation, revocation in an emergency, and a wrong master key."""

import gc
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
import pytest
from sqlalchemy import select

from jeton.bootstrap.server import assemble
from jeton.bootstrap.signing_keys import key_rotation, key_stores
from jeton.crypto.master_key import MasterKeyError, generate_master_key, parse_master_keys
from jeton.keys.key_rotation import KeyRotation
from jeton.rules.key_lifecycle import (
    CLOCK_SKEW_SECONDS,
    PROPAGATION_SECONDS,
    KeyChangeRefusedError,
    KeyState,
    SigningKey,
    active_and_next,
)
from jeton.storage.database import Database
from jeton.storage.signing_keys import load_signing_keys
from jeton.storage.tables import metadata
from support.in_process_server import MASTER_KEY, App, Running, settings_for

StartServer = Callable[..., Awaitable[Running]]

AHEAD = 86400
MAX_AGE = 300
ACCESS = 600


def _rotate(jeton: Running, *, force: bool = False) -> list[SigningKey]:
    """As an operator's command does it; the server then takes its look at the database."""
    rotation = jeton.maintenance.rotation
    found = rotation.rotate_now() if force else rotation.request_rotation()
    jeton.maintenance.refresh()
    return found


def _revoke(jeton: Running, kid: str) -> list[SigningKey]:
    found = jeton.maintenance.rotation.revoke(kid)
    jeton.maintenance.refresh()
    return found


def _stored(jeton: Running) -> list[SigningKey]:
    with jeton.database.read() as connection:
        return load_signing_keys(connection)


def _kid(keys: list[SigningKey], state: KeyState) -> str:
    (key,) = [key for key in keys if key.state is state]
    return key.kid


async def _published(jeton: Running) -> set[str]:
    return {key["kid"] for key in (await jeton.http.get("/.well-known/jwks.json")).json()["keys"]}


async def _own_token(jeton: Running, app: App) -> str:
    return str((await jeton.token(app, grant_type="client_credentials")).json()["access_token"])


def _signer_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


# Planned.


@pytest.mark.requirement("O14")
async def test_a_new_server_publishes_the_key_that_signs_and_the_one_that_will(jeton: Running) -> None:
    stored = _stored(jeton)

    assert {key.state for key in stored} == {KeyState.ACTIVE, KeyState.NEXT}
    assert await _published(jeton) == {key.kid for key in stored}
    assert _signer_of(await _own_token(jeton, jeton.add_client())) == _kid(stored, KeyState.ACTIVE)


@pytest.mark.requirement("O14")
async def test_the_first_successor_may_sign_at_once_and_a_new_one_is_announced(jeton: Running) -> None:
    before = _stored(jeton)

    after = _rotate(jeton)

    assert _kid(after, KeyState.ACTIVE) == _kid(before, KeyState.NEXT)
    assert _kid(after, KeyState.RETIRING) == _kid(before, KeyState.ACTIVE)
    assert _kid(after, KeyState.NEXT) not in {key.kid for key in before}
    assert await _published(jeton) == {key.kid for key in after}
    assert _signer_of(await _own_token(jeton, jeton.add_client())) == _kid(after, KeyState.ACTIVE)


@pytest.mark.requirement("O14")
async def test_a_successor_that_caches_may_not_know_signs_as_soon_as_they_do_and_by_itself(jeton: Running) -> None:
    first = _rotate(jeton)
    asked = _rotate(jeton)
    assert _kid(asked, KeyState.ACTIVE) == _kid(first, KeyState.ACTIVE)

    jeton.clock.advance(AHEAD - 1)
    jeton.maintenance.refresh()
    assert jeton.keyring.signer.kid == _kid(first, KeyState.ACTIVE)
    jeton.clock.advance(1)
    jeton.maintenance.refresh()

    assert jeton.keyring.signer.kid == _kid(first, KeyState.NEXT)


async def test_what_was_asked_for_is_done_once(start: StartServer) -> None:
    jeton = await start(KEYS__PUBLISH_AHEAD_SECONDS="1000")
    _rotate(jeton)
    asked = _rotate(jeton)
    jeton.clock.advance(1000)
    jeton.maintenance.refresh()
    jeton.clock.advance(1000)
    jeton.maintenance.refresh()

    assert jeton.keyring.signer.kid == _kid(asked, KeyState.NEXT)


@pytest.mark.requirement("O14")
async def test_a_successor_may_sign_when_it_was_published_long_enough(jeton: Running) -> None:
    before = _rotate(jeton)
    jeton.clock.advance(AHEAD)

    assert _kid(_rotate(jeton), KeyState.ACTIVE) == _kid(before, KeyState.NEXT)


@pytest.mark.requirement("O14")
async def test_a_rotation_can_be_forced_but_never_stops_the_signing(jeton: Running) -> None:
    app = jeton.add_client()
    before = _rotate(jeton)
    jeton.clock.advance(PROPAGATION_SECONDS - 1)

    with pytest.raises(KeyChangeRefusedError, match="try again in 1 s"):
        _rotate(jeton, force=True)
    assert (await jeton.token(app, grant_type="client_credentials")).status_code == 200
    jeton.clock.advance(1)
    after = _rotate(jeton, force=True)

    assert _kid(after, KeyState.ACTIVE) == _kid(before, KeyState.NEXT)
    assert (await jeton.token(app, grant_type="client_credentials")).status_code == 200


@pytest.mark.parametrize(
    ("setting", "lifetimes", "longest"),
    [
        pytest.param(ACCESS, {}, ACCESS, id="the setting"),
        pytest.param(3600, {"access_seconds": 60}, 3600, id="a setting that exceeds a client's"),
        pytest.param(ACCESS, {"access_seconds": 7200}, 7200, id="a client's that exceeds the setting"),
    ],
)
async def test_a_retiring_key_stays_as_long_as_a_token_of_it_may_live_and_then_goes(
    start: StartServer, setting: int, lifetimes: dict[str, int], longest: int
) -> None:
    jeton = await start(TOKENS__ACCESS_SECONDS=str(setting))
    jeton.add_client(lifetimes=lifetimes)
    retiring = _kid(_rotate(jeton), KeyState.RETIRING)

    jeton.clock.advance(PROPAGATION_SECONDS + longest + MAX_AGE + CLOCK_SKEW_SECONDS - 1)
    jeton.maintenance.refresh()
    assert retiring in await _published(jeton)

    jeton.clock.advance(1)
    jeton.maintenance.refresh()
    jeton.maintenance.purge_expired()
    assert retiring not in await _published(jeton)
    assert retiring not in {key.kid for key in _stored(jeton)}


async def test_a_lifetime_that_was_longer_for_a_while_is_not_forgotten(jeton: Running) -> None:
    app = jeton.add_client(lifetimes={"access_seconds": 7200})
    token = await _own_token(jeton, app)
    jeton.set_client(app.client_id, lifetimes={"access_seconds": 60})
    _rotate(jeton)

    jeton.clock.advance(7199)
    jeton.maintenance.refresh()
    jeton.maintenance.purge_expired()

    assert (await jeton.introspect(app, token))["active"] is True


async def test_of_two_servers_the_one_with_the_longer_lifetime_counts(jeton: Running, start: StartServer) -> None:
    longer = await start(TOKENS__ACCESS_SECONDS="3600")
    app = longer.add_client()
    token = await _own_token(longer, app)
    _rotate(jeton)
    for node in (jeton, longer):
        node.clock.advance(3599)
        node.maintenance.refresh()
    jeton.maintenance.purge_expired()

    assert (await jeton.introspect(app, token))["active"] is True


async def test_a_key_is_kept_for_a_server_s_tokens_before_it_signs_the_first_of_them(
    jeton: Running, start: StartServer
) -> None:
    await start(TOKENS__ACCESS_SECONDS="3600")

    assert active_and_next(_stored(jeton))[0].longest_seconds == 3600


@pytest.mark.requirement("O14")
async def test_a_key_that_signs_no_more_has_no_private_part(jeton: Running) -> None:
    _rotate(jeton)
    found = _revoke(jeton, _kid(_stored(jeton), KeyState.ACTIVE))

    assert {key.state: bool(key.private_part) for key in found} == {
        KeyState.RETIRING: False,
        KeyState.REVOKED: False,
        KeyState.ACTIVE: True,
        KeyState.NEXT: True,
    }


async def test_a_session_lives_on_over_a_rotation(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    before = await jeton.log_in(app)
    _rotate(jeton)

    after = await jeton.refreshed(app, before["refresh_token"])

    assert _signer_of(after["access_token"]) != _signer_of(before["access_token"])
    assert (await jeton.introspect(app, before["access_token"]))["active"] is True
    assert (await jeton.introspect(app, after["access_token"]))["active"] is True


async def test_a_server_started_later_signs_with_the_same_key(jeton: Running, start: StartServer) -> None:
    active = _kid(_rotate(jeton), KeyState.ACTIVE)

    other = await start()

    assert _signer_of(await _own_token(other, other.add_client())) == active


# In an emergency.


@pytest.mark.requirement("D05", "D08")
async def test_the_tokens_of_a_revoked_key_are_inactive_and_the_session_lives_on(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)

    _revoke(jeton, _signer_of(tokens["access_token"]))

    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}
    after = await jeton.refreshed(app, tokens["refresh_token"])
    assert (await jeton.introspect(app, after["access_token"]))["active"] is True


@pytest.mark.requirement("O14")
async def test_a_revoked_key_leaves_the_key_set_at_once_and_the_next_one_signs(jeton: Running) -> None:
    before = _stored(jeton)

    after = _revoke(jeton, _kid(before, KeyState.ACTIVE))

    assert _kid(after, KeyState.ACTIVE) == _kid(before, KeyState.NEXT)
    assert await _published(jeton) == {_kid(after, KeyState.ACTIVE), _kid(after, KeyState.NEXT)}
    assert _signer_of(await _own_token(jeton, jeton.add_client())) == _kid(after, KeyState.ACTIVE)


async def test_revoking_the_next_key_announces_another_and_leaves_the_signing_one(jeton: Running) -> None:
    before = _stored(jeton)

    after = _revoke(jeton, _kid(before, KeyState.NEXT))

    assert _kid(after, KeyState.ACTIVE) == _kid(before, KeyState.ACTIVE)
    assert _kid(after, KeyState.NEXT) != _kid(before, KeyState.NEXT)
    assert _kid(before, KeyState.NEXT) not in await _published(jeton)


async def test_revoking_a_retiring_key_leaves_the_others(jeton: Running) -> None:
    before = _rotate(jeton)

    after = _revoke(jeton, _kid(before, KeyState.RETIRING))

    assert _kid(after, KeyState.ACTIVE) == _kid(before, KeyState.ACTIVE)
    assert await _published(jeton) == {_kid(before, KeyState.ACTIVE), _kid(before, KeyState.NEXT)}


async def test_a_revoked_key_is_known_until_its_tokens_would_have_expired(jeton: Running) -> None:
    active = _kid(_stored(jeton), KeyState.ACTIVE)
    revoked = _revoke(jeton, active)
    assert _kid(revoked, KeyState.REVOKED) == active

    jeton.clock.advance(PROPAGATION_SECONDS + ACCESS + MAX_AGE + CLOCK_SKEW_SECONDS - 1)
    assert jeton.maintenance.purge_expired() == 0
    jeton.clock.advance(1)
    assert jeton.maintenance.purge_expired() == 1


async def test_revoking_a_revoked_key_changes_nothing(jeton: Running) -> None:
    active = _kid(_stored(jeton), KeyState.ACTIVE)

    assert _revoke(jeton, active) == _revoke(jeton, active)


async def test_a_key_that_does_not_exist_cannot_be_revoked(jeton: Running) -> None:
    before = _stored(jeton)

    with pytest.raises(KeyChangeRefusedError, match="there is no key no-such-kid"):
        _revoke(jeton, "no-such-kid")

    assert _stored(jeton) == before


async def test_nothing_is_signed_by_a_key_that_other_servers_may_not_publish_yet(jeton: Running) -> None:
    app = jeton.add_client()
    for _ in range(2):
        _revoke(jeton, _kid(_stored(jeton), KeyState.ACTIVE))

    refused = await jeton.token(app, grant_type="client_credentials")
    jeton.clock.advance(PROPAGATION_SECONDS)

    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert _signer_of(await _own_token(jeton, app)) == _kid(_stored(jeton), KeyState.ACTIVE)


async def test_a_session_survives_that_nothing_can_be_signed(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)
    for _ in range(2):
        _revoke(jeton, _kid(_stored(jeton), KeyState.ACTIVE))

    assert (await jeton.refresh(app, tokens["refresh_token"])).status_code == 503
    jeton.clock.advance(PROPAGATION_SECONDS)

    assert (await jeton.refresh(app, tokens["refresh_token"])).status_code == 200


async def test_a_server_cut_off_from_its_database_does_not_sign_and_publishes_what_it_knows(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, keyring = jeton.add_client(), jeton.keyring
    published = await _published(jeton)
    monkeypatch.setattr(keyring, "_read_at", keyring._read_at - MAX_AGE - PROPAGATION_SECONDS)

    assert (await jeton.token(app, grant_type="client_credentials")).status_code == 503
    assert await _published(jeton) == published
    assert (await jeton.http.get("/.well-known/jwks.json")).headers["cache-control"] == "public, max-age=0"


# Another kind of key.


@pytest.mark.requirement("F04")
async def test_another_algorithm_is_announced_at_once_signs_when_every_cache_knows_and_both_verify(
    jeton: Running, start: StartServer
) -> None:
    before, app = _stored(jeton), jeton.add_client()
    old = await _own_token(jeton, app)

    switched = await start(KEYS__ALGORITHM="ES256")
    announced = _stored(switched)
    assert _kid(announced, KeyState.ACTIVE) == _kid(before, KeyState.ACTIVE)
    assert {key.kid: key.algorithm for key in announced}[_kid(announced, KeyState.NEXT)] == "ES256"
    for node in (jeton, switched):
        node.clock.advance(AHEAD)
        node.maintenance.refresh()

    new = await _own_token(jeton, app)
    assert jwt.get_unverified_header(new)["alg"] == "ES256"
    assert {_signer_of(old), _signer_of(new)} < await _published(jeton) == await _published(switched)
    assert active_and_next(_stored(jeton))[1].algorithm == "ES256"
    assert (await switched.introspect(app, await _own_token(jeton, app)))["active"] is True


@pytest.mark.parametrize(
    ("settings", "algorithm", "rsa_bits"),
    [
        ({"KEYS__ALGORITHM": "ES256"}, "ES256", None),
        ({"KEYS__ALGORITHM": "EdDSA"}, "EdDSA", None),
        ({"KEYS__RSA_BITS": "3072"}, "RS256", 3072),
    ],
    ids=["ES256", "EdDSA", "3072 bits"],
)
async def test_a_successor_of_another_kind_takes_the_place_of_one_that_never_signed(
    jeton: Running, start: StartServer, settings: dict[str, str], algorithm: str, rsa_bits: int | None
) -> None:
    before = _stored(jeton)

    await start(**settings)

    after = _stored(jeton)
    assert sorted(key.state for key in after) == [KeyState.ACTIVE, KeyState.NEXT]
    assert _kid(after, KeyState.NEXT) != _kid(before, KeyState.NEXT)
    kind = active_and_next(after)[1].key_type
    assert (kind.algorithm, kind.rsa_bits) == (algorithm, rsa_bits)
    assert active_and_next(after)[1].ready_at == jeton.clock.now() + AHEAD


async def test_servers_with_different_settings_do_not_undo_each_other_s_changes(
    jeton: Running, start: StartServer
) -> None:
    await start(KEYS__ALGORITHM="ES256")
    announced = _stored(jeton)

    jeton.maintenance.refresh()
    _rotate(jeton)
    jeton.clock.advance(AHEAD)
    jeton.maintenance.refresh()

    assert _kid(_stored(jeton), KeyState.ACTIVE) == _kid(announced, KeyState.NEXT)
    assert active_and_next(_stored(jeton))[1].algorithm == "ES256"


async def test_a_setting_that_is_taken_back_before_it_took_effect_changes_no_signer(
    jeton: Running, start: StartServer
) -> None:
    await start(KEYS__ALGORITHM="ES256")
    back = await start()
    for node in (jeton, back):
        node.clock.advance(2 * AHEAD)
        node.maintenance.refresh()

    assert _kid(_stored(jeton), KeyState.ACTIVE) == jeton.keyring.signer.kid
    assert {key.algorithm for key in _stored(jeton)} == {"RS256"}
    assert sorted(key.state for key in _stored(jeton)) == [KeyState.ACTIVE, KeyState.NEXT]


# The master key.


def _rows(url: str) -> dict[str, list[Any]]:
    """Everything that is stored."""
    database = Database(url)
    with database.read() as connection:
        rows = {
            table.name: [tuple(row) for row in connection.execute(select(table))] for table in metadata.sorted_tables
        }
    database.close()
    return rows


def _under_a_wrong_master_key(jeton: Running) -> KeyRotation:
    database = jeton.database
    settings = settings_for(database.url.render_as_string(hide_password=False))
    return key_rotation(settings, database, jeton.clock, key_stores(settings, parse_master_keys(generate_master_key())))


@pytest.mark.requirement("O14")
async def test_a_server_with_the_wrong_master_key_does_not_start_and_changes_nothing(database_url: str) -> None:
    before = _rows(database_url)

    with pytest.raises(MasterKeyError, match=r"master key \w+ is needed but not configured"):
        assemble(settings_for(database_url, SECRETS__MASTER_KEY=generate_master_key()))
    # A connection left open is found out here, and not in whichever test comes next.
    gc.collect()

    assert _rows(database_url) == before
    assert len(before["signing_keys"]) == 2


@pytest.mark.requirement("O14")
async def test_keys_are_not_rotated_under_the_wrong_master_key(jeton: Running) -> None:
    before = _stored(jeton)

    with pytest.raises(MasterKeyError):
        _under_a_wrong_master_key(jeton).rotate_now()

    assert _stored(jeton) == before


@pytest.mark.requirement("O14")
@pytest.mark.parametrize("state", [KeyState.ACTIVE, KeyState.NEXT])
async def test_keys_are_not_revoked_under_the_wrong_master_key(jeton: Running, state: KeyState) -> None:
    before = _stored(jeton)

    with pytest.raises(MasterKeyError):
        _under_a_wrong_master_key(jeton).revoke(_kid(before, state))

    assert _stored(jeton) == before


@pytest.mark.requirement("O14")
async def test_a_new_master_key_before_the_old_one_takes_over_without_ending_anything(
    jeton: Running, start: StartServer
) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)

    renewed = await start(SECRETS__MASTER_KEY=f"{generate_master_key()},{MASTER_KEY}")

    after = await renewed.refreshed(app, tokens["refresh_token"])
    assert (await renewed.introspect(app, tokens["access_token"]))["active"] is True
    assert (await renewed.introspect(app, after["access_token"]))["active"] is True


@pytest.mark.requirement("E06")
async def test_a_running_server_rotates_by_itself_when_it_is_due_and_not_before(start: StartServer) -> None:
    jeton = await start(KEYS__ROTATE_SECONDS="1000", KEYS__PUBLISH_AHEAD_SECONDS="500")
    keyring = jeton.keyring
    first = keyring.signer.kid
    jeton.clock.advance(999)
    jeton.maintenance.refresh()
    assert keyring.signer.kid == first

    jeton.clock.advance(1)
    jeton.maintenance.refresh()

    second = keyring.signer.kid
    assert second != first
    jeton.maintenance.refresh()
    assert keyring.signer.kid == second
    published = (await jeton.http.get("/.well-known/jwks.json")).json()["keys"]
    assert {first, second} < {key["kid"] for key in published}


async def test_of_two_servers_that_find_a_rotation_due_one_does_it_and_the_other_follows(start: StartServer) -> None:
    one = await start(KEYS__ROTATE_SECONDS="1000")
    other = await start(KEYS__ROTATE_SECONDS="1000")
    for jeton in (one, other):
        jeton.clock.advance(1000)

    one.maintenance.refresh()
    other.maintenance.refresh()

    assert one.keyring.signer.kid == other.keyring.signer.kid
