"""A clock that was ahead and is corrected (ADR 0021): its timestamps block nothing.

A failover to a database with a slower clock is the same, and so is a first start with a wrong clock.
"""

import pytest

from jeton.rules.attempts import RateLimited
from jeton.rules.key_lifecycle import PROPAGATION_SECONDS
from jeton.rules.key_series import active_and_next
from support.in_process_server import START, Running, StartServer
from support.sessions import Session, new_session
from support.signing_keys import all_stored_keys
from support.status_lists import reference, status_list

HOUR = 3600
every_step = pytest.mark.parametrize("ahead", [10, 400 * 86400])


@pytest.fixture
async def session(jeton: Running) -> Session:
    return await new_session(jeton)


def correct(jeton: Running, seconds: int) -> None:
    jeton.clock.advance(-seconds)
    jeton.shared_state.refresh()


@every_step
@pytest.mark.both_databases
@pytest.mark.requirement("D05", "O14", "O19")
async def test_server_accepts_keys_sessions_and_clients_dated_in_the_future(
    jeton: Running, session: Session, ahead: int
) -> None:
    lost = await jeton.refresh(session.app, session.refresh, "key")
    correct(jeton, ahead)

    assert (await jeton.http.get("/readyz")).status_code == 200
    assert (await jeton.refresh(session.app, session.refresh, "key")).content == lost.content
    after = await new_session(jeton, session.app, session.user)
    assert jeton.claims(after.access)["iat"] == START - ahead
    own = (await jeton.token(session.app, grant_type="client_credentials")).json()["access_token"]
    assert [(await jeton.introspect(session.app, it))["active"] for it in (after.access, own)] == [True, True]


@every_step
@pytest.mark.requirement("O14", "O19")
async def test_restarted_server_is_ready_once_every_server_publishes_the_key(
    start: StartServer, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    monkeypatch.setattr("support.in_process_server.START", START - ahead)
    jeton = await start()
    app = jeton.add_client()
    statuses = []

    for _ in range(2):
        token = await jeton.token(app, grant_type="client_credentials")
        ready = await jeton.http.get("/readyz")
        assert token.status_code == ready.status_code
        assert (ready.json().get("reason") == "no_signing_key") is (ready.status_code == 503)
        statuses.append(ready.status_code)
        jeton.clock.advance(PROPAGATION_SECONDS)

    # Other servers may not have read the key yet, but never for longer than that.
    assert statuses == [503 if ahead <= PROPAGATION_SECONDS else 200, 200]


async def test_timestamps_of_signing_keys_are_corrected(jeton: Running) -> None:
    correct(jeton, HOUR)

    active, following = active_and_next(all_stored_keys(jeton.database))
    assert (active.created_at, active.activated_at, following.created_at, following.ready_at) == (START - HOUR,) * 4


async def test_cached_refusal_of_the_future_is_dropped(jeton: Running) -> None:
    limiter = jeton.rate_limiter
    limiter.remember(b"key", RateLimited("address", b"key", START + HOUR))
    assert limiter.remembered(b"key") is not None

    jeton.clock.advance(-HOUR)

    assert limiter.remembered(b"key") is None


async def test_status_list_of_the_future_is_signed_again(jeton: Running, session: Session) -> None:
    uri = reference(session.access)["uri"]
    jeton.shared_state.refresh()
    assert (await status_list(jeton, uri))["iat"] == START
    correct(jeton, HOUR)

    assert (await status_list(jeton, uri))["iat"] == START - HOUR
