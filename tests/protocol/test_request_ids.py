"""Each line of the log that belongs to a request has its identifier, and no other line has one."""

import logging
from contextvars import Context
from unittest.mock import Mock

import httpx2
import pytest

from jeton.crypto.key_stores import KeyStoreError
from support.in_process_server import PASSWORD, App, Running
from support.written_log import WrittenLog

pytestmark = pytest.mark.anyio

ID = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"X-Request-Id": ID}


@pytest.fixture
def app(logged: WrittenLog, jeton: Running) -> App:
    jeton.add_user()
    return jeton.add_client()


async def log_in(jeton: Running, app: App, password: str = PASSWORD) -> httpx2.Response:
    return await jeton.token(app, HEADERS, grant_type="password", username="alice", password=password)


async def test_log_lines_of_a_request_have_its_identifier(logged: WrittenLog, jeton: Running, app: App) -> None:
    await log_in(jeton, app)
    await log_in(jeton, app, "wrong")
    await jeton.http.get("/oauth/authorize?client_id=unknown", headers=HEADERS)

    found = {it["event"] for it in logged.lines() if it.get("request_id") == ID}
    assert {"token_issued", "request_refused", "page_refused"} <= found


async def test_log_lines_of_libraries_and_exceptions_have_the_request_identifier(
    logged: WrittenLog, jeton: Running, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warn_and_fail(*_: object) -> str:
        logging.getLogger("a.library").warning("about to fail")
        raise RuntimeError

    monkeypatch.setattr(jeton.keyring.signer, "sign", warn_and_fail)
    await log_in(jeton, app)

    assert [it["request_id"] for it in (*logged.lines("about to fail"), *logged.lines("server_error"))] == [ID, ID]


async def test_log_lines_of_a_signing_thread_have_the_request_identifier(
    logged: WrittenLog, jeton: Running, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jeton.keyring.signer, "is_external", True)
    monkeypatch.setattr(jeton.keyring.signer, "sign", Mock(side_effect=KeyStoreError("removed")))
    await log_in(jeton, app)

    assert [it["request_id"] for it in logged.lines("signing_key_unavailable")] == [ID]


async def test_log_lines_of_background_work_have_no_request_identifier(logged: WrittenLog, jeton: Running) -> None:
    Context().run(jeton.server.parts.token_failures.missing_master_keys.report, "gone")
    Context().run(logging.getLogger("a.library").warning, "slow")

    assert [it.get("request_id") for it in (*logged.lines("master_key_missing"), *logged.lines("slow"))] == [None, None]
