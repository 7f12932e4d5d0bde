"""The machine's clock jumps ahead or is suspended: no valid session or token is lost (ADR 0021)."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from jeton.bootstrap.server import assemble
from jeton.storage import clock as clock_module
from jeton.storage.clock import Clock
from support.in_process_server import ISSUER, App, ManualClock, Running, settings_for
from support.stored_sessions import stored_family

YEAR = 366 * 86400


@dataclass
class WrongClocks:
    """The clocks of the machine, some of which are ahead."""

    ahead: float = 0

    def time(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic()

    def clock_gettime(self, clock: int) -> float:
        return time.clock_gettime(clock)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> WrongClocks:
    clocks = WrongClocks()
    monkeypatch.setattr(clock_module, "time", clocks)
    return clocks


@pytest.fixture
async def jeton(sqlite_url: str, clocks: WrongClocks) -> AsyncIterator[Running]:
    """A server with the real clock, which reads the database clock only on request."""
    server = assemble(settings_for(sqlite_url), Clock())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(server.app), base_url=ISSUER) as http:
        yield Running(server, ManualClock(), http)
    server.close()


@pytest.fixture
def app(jeton: Running) -> App:
    jeton.add_user()
    return jeton.add_client()


async def test_while_the_clock_is_a_year_ahead_no_session_and_no_revocation_is_deleted(
    jeton: Running, app: App, clocks: WrongClocks
) -> None:
    session = await jeton.log_in(app)
    revoked = (await jeton.log_in(app))["access_token"]
    await jeton.revoke(app, revoked)
    published = jeton.keyring.key_set

    clocks.ahead = YEAR
    jeton.shared_state.refresh()
    assert jeton.purge.delete_expired() == 0
    assert stored_family(jeton, session["refresh_token"])
    clocks.ahead = 0
    jeton.shared_state.refresh()

    assert jeton.keyring.key_set == published
    assert await jeton.introspect(app, revoked) == {"active": False}
    assert (await jeton.introspect(app, session["access_token"]))["active"] is True
    await jeton.refreshed(app, session["refresh_token"])


async def test_no_token_is_issued_expired_after_a_suspend(jeton: Running, app: App, clocks: WrongClocks) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    clocks.ahead = 8 * 3600

    unsure, unready = await jeton.refresh(app, token), await jeton.http.get("/readyz")
    jeton.shared_state.refresh()
    tokens = await jeton.refreshed(app, token)

    assert (unsure.status_code, unsure.json()["error"]) == (503, "temporarily_unavailable")
    assert (unready.status_code, unready.json()["reason"]) == (503, "no_signing_key")
    claims = jeton.keyring.verifier.verify(tokens["access_token"])
    assert claims is not None
    assert claims.claims["exp"] > clocks.time()
