"""Refusals in the audit trail: a bounded number, found by the identifier of the request."""

import re
from unittest.mock import AsyncMock

import pytest

from jeton.admin.users import delete
from jeton.oauth.audit_events import AuditEvent, AuditRecord
from jeton.storage.audit_backlog import MAX_OF_ONE
from jeton.storage.database import StorageUnavailableError
from support.audit_trail import verified_records
from support.browsing import browser
from support.builders import CALLBACK
from support.in_process_server import App, Running, StartServer

WRONG = {"grant_type": "password", "password": "canary-wrong-password"}


def all_records(node: Running) -> list[AuditRecord]:
    """Return all records, after the delayed ones are written."""
    node.server.parts.storage.audit_backlog.write()
    return verified_records(node.database.url.render_as_string(hide_password=False))


@pytest.mark.requirement("AU01")
async def test_failed_logins_to_known_accounts_are_recorded_up_to_a_number_per_hour(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="0")
    user, app = jeton.add_user(), jeton.add_client()
    for _ in range(MAX_OF_ONE + 2):
        await jeton.token(app, None, username="alice", **WRONG)
        await jeton.token(app, None, username="nobody", **WRONG)
    found = all_records(jeton)
    assert len(found) == MAX_OF_ONE
    for it in found:
        assert (it.event, it.reason, it.outcome) == ("sign_in_failed", "password_wrong", "failure")
        assert (it.sub, it.client_id, it.address) == (user.sub, app.client_id, "127.0.0.1")
    jeton.clock.advance(3600)
    await jeton.token(app, None, username="alice", **WRONG)
    assert len(all_records(jeton)) == MAX_OF_ONE + 1


@pytest.mark.requirement("AU01")
async def test_reaching_a_limit_is_recorded_without_an_account(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ADDRESS="1", LIMITS__TOKEN_FAILURES_PER_ADDRESS="1")
    app = jeton.add_client()
    for _ in range(3):
        await jeton.token(app, None, username="nobody", **WRONG)
        await jeton.refresh(app, "jrt_" + "A" * 76)
    found = {(it.event, it.reason, it.sub, it.address) for it in all_records(jeton)}
    assert ("limit_reached", "login_throttled_by_address", None, "127.0.0.1") in found
    assert {it[0] for it in found} == {"limit_reached"}


async def test_failed_login_of_an_account_deleted_before_recording_is_dropped(jeton: Running) -> None:
    user, app = jeton.add_user(), jeton.add_client()
    await jeton.token(app, None, username="alice", **WRONG)
    with jeton.database.write() as connection:
        delete(connection, jeton.clock.now(), "alice")
    assert [(it.event, it.sub) for it in all_records(jeton)] == [("user_deleted", user.sub)]


async def test_number_of_waiting_events_is_bounded_by_the_hourly_limit(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.storage.audit_backlog.MAX_OF_ALL", 3)
    backlog = jeton.server.parts.storage.audit_backlog
    for hour in range(3):
        for event in ("sign_in_failed", "limit_reached"):
            backlog.add(AuditEvent(event, "reason"), f"network {hour}")
        jeton.clock.advance(3600)
    assert len(all_records(jeton)) == 3


@pytest.mark.requirement("AU02")
@pytest.mark.parametrize(
    ("error", "reason"), [(StorageUnavailableError("away"), "StorageUnavailableError"), (KeyError(), "unexpected")]
)
async def test_the_reference_on_the_page_of_a_failure_finds_its_kind(
    jeton: Running, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    read = "jeton.endpoints.authorization.authorization_endpoint.AuthorizationEndpoint._read"
    monkeypatch.setattr(read, AsyncMock(side_effect=error))
    page = await jeton.http.get("/oauth/authorize", params={"client_id": "app"})
    assert page.headers["x-request-id"] in page.text
    (record,) = all_records(jeton)
    assert (record.request_id, record.event, record.reason) == (page.headers["x-request-id"], "request_failed", reason)


@pytest.mark.requirement("AU02")
async def test_a_record_has_the_origin_of_its_request(jeton: Running, app: App) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    headers = {"X-Request-Id": "0af7651916cd43dd8448eb211c80319c", "User-Agent": "agent" + "x" * 300}
    answer = await jeton.token(app, headers, grant_type="refresh_token", refresh_token=token)
    assert answer.headers["x-request-id"] == headers["X-Request-Id"]
    (record,) = (it for it in all_records(jeton) if it.event == "token_refreshed")
    assert (record.request_id, record.address) == (headers["X-Request-Id"], "127.0.0.1")
    assert record.user_agent == headers["User-Agent"][:256]


async def test_a_client_that_registers_itself_is_recorded_with_its_origin(start: StartServer) -> None:
    jeton = await start(REGISTRATION__DYNAMIC="open")
    document = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
    answer = await jeton.http.post("/oauth/register", json=document)
    (record,) = all_records(jeton)
    assert (record.event, record.actor, record.client_id) == ("client_added", "client", answer.json()["client_id"])
    assert (record.address, record.request_id) == ("127.0.0.1", answer.headers["x-request-id"])


@pytest.mark.parametrize("sent", ["short", "x" * 65, "<script>alert(1)", "two words here", "caf\u00e9-caf\u00e9"])
async def test_a_malformed_request_id_is_replaced(jeton: Running, sent: str) -> None:
    answer = await jeton.http.get("/livez", headers={b"X-Request-Id": sent.encode("latin-1")})
    assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}", answer.headers["x-request-id"])


@pytest.mark.requirement("AU01", "AU02")
async def test_reference_on_an_error_page_finds_the_rule_and_pages_hide_no_limit(start: StartServer) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ADDRESS="1")
    references, app = [], jeton.add_client()
    async with browser(jeton) as visitor:
        for _ in range(MAX_OF_ONE + 1):
            await visitor.get("/oauth/authorize", client_id="unknown", response_type="code")
            references.append(visitor.page.headers["x-request-id"])
            assert references[-1] in visitor.page.text
    for _ in range(2):
        await jeton.token(app, None, username="nobody", **WRONG)
    *found, last = all_records(jeton)
    assert last.event == "limit_reached"
    assert [it.request_id for it in found] == references[:MAX_OF_ONE]
    assert {(it.event, it.reason, it.outcome) for it in found} == {("request_refused", "client_unknown", "failure")}
