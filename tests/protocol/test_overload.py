"""Requests beyond what can be queued: refused at once with 503, before they cost the database anything."""

import pytest

from jeton.crypto.hashing_pool import HashingBusyError
from support.in_process_server import PASSWORD, Running
from support.responses import outcome
from support.statement_recorder import statements_of

BUSY = (503, "temporarily_unavailable")


@pytest.mark.requirement("O16", "O20")
async def test_refresh_beyond_the_queue_of_the_ledger_is_refused_without_a_statement_and_spends_nothing(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    jeton.add_user()
    app = jeton.add_client()
    token = (await jeton.log_in(app))["refresh_token"]
    monkeypatch.setattr(jeton.ledger._batches._main, "_max_waiting", 0)

    with statements_of(jeton) as sent:
        refused = await jeton.refresh(app, token)

    assert outcome(refused) == BUSY
    assert int(refused.headers["retry-after"]) >= 1
    assert sent == []
    monkeypatch.undo()
    assert await jeton.refreshed(app, token)


@pytest.mark.requirement("O16", "O20")
async def test_login_beyond_the_queue_of_password_hashes_is_refused_without_a_statement(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    jeton.add_user()
    app = jeton.add_client()
    await jeton.log_in(app)

    def full(*_: object) -> None:
        raise HashingBusyError

    monkeypatch.setattr(jeton.hashing, "check_capacity", full)
    with statements_of(jeton) as sent:
        refused = await jeton.token(app, grant_type="password", username="alice", password=PASSWORD)

    assert outcome(refused) == BUSY
    assert int(refused.headers["retry-after"]) >= 1
    assert sent == []
