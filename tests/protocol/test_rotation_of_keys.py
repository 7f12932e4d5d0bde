"""The life of signing keys (RFC 7517): planned rotation, revocation in an emergency, and a wrong master key."""

import gc
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
import pytest
from sqlalchemy import select

from jeton.assembly import assemble
from jeton.crypto.master_key import MasterKeyError, generate_master_key, parse_master_keys
from jeton.crypto.private_key import KeyStores
from jeton.crypto.sealed_keys import SealedKeys
from jeton.keys.rotation import revoke_signing_key, rotate_signing_keys
from jeton.oauth.key_life import KeyState, KeyTimes, RotationRefusedError, SigningKey
from jeton.storage.database import Database
from jeton.storage.signing_keys import load_signing_keys
from jeton.storage.tables import metadata
from running import MASTER_KEY, START, App, Running, settings_for

StartServer = Callable[..., Awaitable[Running]]

AHEAD = 86400
TIMES = KeyTimes(publish_ahead_seconds=AHEAD, jwks_max_age_seconds=300, longest_access_seconds=86400)
STORES = KeyStores(SealedKeys(parse_master_keys(MASTER_KEY)))


def _rotate(jeton: Running, *, force: bool = False) -> list[SigningKey]:
    """As an operator's command does it; the server then takes its look at the database."""
    with jeton.server.services.database.write() as connection:
        found = rotate_signing_keys(connection, STORES, 2048, TIMES, jeton.clock.now(), force=force)
    jeton.server.upkeep.look()
    return found


def _revoke(jeton: Running, kid: str) -> list[SigningKey]:
    with jeton.server.services.database.write() as connection:
        found = revoke_signing_key(connection, STORES, 2048, TIMES, jeton.clock.now(), kid)
    jeton.server.upkeep.look()
    return found


def _stored(jeton: Running) -> list[SigningKey]:
    with jeton.server.services.database.read() as connection:
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
async def test_a_successor_that_caches_may_not_know_is_refused_and_nothing_changes(jeton: Running) -> None:
    before = _rotate(jeton)
    jeton.clock.advance(AHEAD - 1)

    with pytest.raises(RotationRefusedError, match="in 1 seconds"):
        _rotate(jeton)

    assert _stored(jeton) == before


@pytest.mark.requirement("O14")
async def test_a_successor_may_sign_when_it_was_published_long_enough(jeton: Running) -> None:
    before = _rotate(jeton)
    jeton.clock.advance(AHEAD)

    assert _kid(_rotate(jeton), KeyState.ACTIVE) == _kid(before, KeyState.NEXT)


@pytest.mark.requirement("O14")
async def test_a_rotation_can_be_forced(jeton: Running) -> None:
    before = _rotate(jeton)

    after = _rotate(jeton, force=True)

    assert _kid(after, KeyState.ACTIVE) == _kid(before, KeyState.NEXT)


async def test_a_retiring_key_stays_as_long_as_a_token_of_it_may_live_and_then_goes(jeton: Running) -> None:
    retiring = _kid(_rotate(jeton), KeyState.RETIRING)

    jeton.clock.advance(TIMES.longest_access_seconds + TIMES.jwks_max_age_seconds)
    jeton.server.upkeep.look()
    assert retiring in await _published(jeton)

    jeton.clock.advance(60)
    jeton.server.upkeep.look()
    jeton.server.upkeep.forget()
    assert retiring not in await _published(jeton)
    assert retiring not in {key.kid for key in _stored(jeton)}


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


async def test_a_key_that_does_not_exist_cannot_be_revoked(jeton: Running) -> None:
    before = _stored(jeton)

    with pytest.raises(RotationRefusedError, match="there is no key no-such-kid"):
        _revoke(jeton, "no-such-kid")

    assert _stored(jeton) == before


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
    before, wrong = _stored(jeton), KeyStores(SealedKeys(parse_master_keys(generate_master_key())))

    with pytest.raises(MasterKeyError), jeton.server.services.database.write() as connection:
        rotate_signing_keys(connection, wrong, 2048, TIMES, START, force=True)

    assert _stored(jeton) == before


@pytest.mark.requirement("O14")
@pytest.mark.parametrize("state", [KeyState.ACTIVE, KeyState.NEXT])
async def test_keys_are_not_revoked_under_the_wrong_master_key(jeton: Running, state: KeyState) -> None:
    before, wrong = _stored(jeton), KeyStores(SealedKeys(parse_master_keys(generate_master_key())))

    with pytest.raises(MasterKeyError), jeton.server.services.database.write() as connection:
        revoke_signing_key(connection, wrong, 2048, TIMES, START, _kid(before, state))

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
    keyring = jeton.server.services.keyring
    first = keyring.signer.kid
    jeton.clock.advance(999)
    jeton.server.upkeep.look()
    assert keyring.signer.kid == first

    jeton.clock.advance(1)
    jeton.server.upkeep.look()

    second = keyring.signer.kid
    assert second != first
    jeton.server.upkeep.look()
    assert keyring.signer.kid == second
    published = (await jeton.http.get("/.well-known/jwks.json")).json()["keys"]
    assert {first, second} < {key["kid"] for key in published}


async def test_of_two_servers_that_find_a_rotation_due_one_does_it_and_the_other_follows(start: StartServer) -> None:
    one = await start(KEYS__ROTATE_SECONDS="1000")
    other = await start(KEYS__ROTATE_SECONDS="1000")
    for jeton in (one, other):
        jeton.clock.advance(1000)

    one.server.upkeep.look()
    other.server.upkeep.look()

    assert one.server.services.keyring.signer.kid == other.server.services.keyring.signer.kid
