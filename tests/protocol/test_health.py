"""Health, and responses while the database is unavailable, a queue is full, or something unexpected fails."""

import time
from types import SimpleNamespace
from unittest.mock import AsyncMock, Mock

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from jeton.background import shared_state
from jeton.crypto.hashing_pool import HashingBusyError
from jeton.storage.database import Database, StorageUnavailableError
from support.in_process_server import PASSWORD, App, Running, running, settings_for
from support.responses import outcome
from support.statement_recorder import before_each_statement, statements_of

FORMS = ["/oauth/token", "/oauth/revoke", "/oauth/introspect"]
METADATA = "/.well-known/oauth-authorization-server"
DOCUMENTS = ["/.well-known/jwks.json", METADATA, "/.well-known/openid-configuration", "/openapi.json"]


def unavailable(*_: object) -> None:
    raise OperationalError("SELECT", {}, Exception("the database is away"))


@pytest.mark.both_databases
@pytest.mark.requirement("O19")
async def test_server_is_not_ready_until_it_reads_its_database(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await jeton.http.get("/readyz")).json() == {"status": "ready"}
    # Only the clock of the shared state advances.
    monkeypatch.setattr(shared_state, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 9))
    stale = await jeton.http.get("/readyz")
    with before_each_statement(jeton, unavailable):
        with pytest.raises(StorageUnavailableError):
            jeton.shared_state.refresh()
        failed, alive = await jeton.http.get("/readyz"), await jeton.http.get("/livez")
    jeton.shared_state.refresh()
    ready = await jeton.http.get("/readyz")

    assert [it.status_code for it in (stale, failed, ready)] == [503, 503, 200]
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert {it.headers["cache-control"] for it in (stale, alive, ready)} == {"no-store"}


@pytest.mark.both_databases
@pytest.mark.requirement("O19", "O20")
async def test_without_its_database_a_form_endpoint_is_503_and_a_document_is_served(jeton: Running) -> None:
    app = jeton.add_client()
    with before_each_statement(jeton, unavailable):
        refused = [await jeton.post(it, app, grant_type="client_credentials", token="garbage") for it in FORMS]
        served = [(await jeton.http.get(it)).status_code for it in DOCUMENTS]

    assert served == [200] * len(DOCUMENTS)
    for response in refused:
        assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")
        assert int(response.headers["retry-after"]) > 0
        assert "database" not in response.text


@pytest.mark.requirement("O19")
@pytest.mark.parametrize("path", FORMS)
async def test_unexpected_exception_is_500_without_details(
    jeton: Running, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    app = jeton.add_client()
    monkeypatch.setattr(type(jeton.lookups), "known_client", Mock(side_effect=RuntimeError("a secret detail")))
    response = await jeton.post(path, app, grant_type="client_credentials", token="garbage")

    assert (response.status_code, response.json()["error"]) == (500, "server_error")
    assert "secret detail" not in response.text
    assert "RuntimeError" not in response.text


@pytest.mark.requirement("O13", "O16", "O20")
@pytest.mark.parametrize("queue", ["ledger", "password hashes", "password hashes, a moment later"])
async def test_request_beyond_a_queue_is_refused_without_a_statement_and_spends_nothing(
    jeton: Running, app: App, monkeypatch: pytest.MonkeyPatch, queue: str
) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    login = {"grant_type": "password", "username": "alice", "password": PASSWORD}

    with monkeypatch.context() as patch, statements_of(jeton) as sent:
        if queue == "ledger":
            patch.setattr(jeton.ledger._batches._main, "_max_waiting", 0)
            refused = await jeton.refresh(app, token)
        elif "later" in queue:
            patch.setattr(jeton.hashing, "run", AsyncMock(side_effect=HashingBusyError))
            refused = await jeton.token(app, None, **login)
        else:
            patch.setattr(jeton.hashing, "check_capacity", Mock(side_effect=HashingBusyError))
            refused = await jeton.token(app, None, **login)

    assert outcome(refused) == (503, "temporarily_unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    assert sent == [] or "later" in queue
    assert await jeton.refreshed(app, token)


@pytest.mark.postgresql
@pytest.mark.requirement("O19")
async def test_server_with_a_read_only_database_is_not_ready_until_it_can_write(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    name = database.url.database
    async with running(settings_for(postgresql_url)) as jeton:
        with database.engine.begin() as connection:
            connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        jeton.database.engine.dispose()
        jeton.shared_state.refresh()
        read_only = await jeton.http.get("/readyz")
        with database.engine.begin() as connection:
            connection.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
        jeton.shared_state.refresh()
        jeton.shared_state.refresh()

        assert (read_only.status_code, (await jeton.http.get("/readyz")).status_code) == (503, 200)
    database.close()
