"""Metrics: what is counted, and that no label has a value from outside."""

import asyncio
import math
from unittest.mock import Mock

import httpx2
import pytest
from sqlalchemy import delete

from jeton.cli.processes.listening import bind_sockets
from jeton.cli.processes.metrics_listener import MetricsListener
from jeton.http.metrics_page import metrics_page
from jeton.login import concurrency
from jeton.oauth.backchannel_logout import STATES
from jeton.observability.metrics import REGISTRY, count_refusal
from jeton.observability.metrics_sharing import render_metrics
from jeton.storage.tables import id_token_keys
from support.in_process_server import PASSWORD, App, Running
from support.logout_receiver import add_logouts, add_receiving_app, deliver, logout_receiver
from support.metrics import series_in, value_of
from support.signing_keys import stored_keys

pytestmark = pytest.mark.requirement("ME06")

REQUESTS = "jeton_http_request_duration_seconds_count"
LABELS = {
    *("route", "method", "status", "error", "reason", "grant_type", "outcome", "limit", "queue", "state"),
    *("database", "series", "algorithm", "kind", "table", "source", "le"),
}


GRANTS, TOKENS = "jeton_grants_total", {"grant_type": "refresh_token"}
LIFE = [
    (2, GRANTS, {"grant_type": "password", "outcome": "logged_in"}),
    (1, GRANTS, {"grant_type": "password", "outcome": "password_wrong"}),
    (2, GRANTS, TOKENS | {"outcome": "rotated"}),
    (1, GRANTS, TOKENS | {"outcome": "retried"}),
    (1, GRANTS, TOKENS | {"outcome": "refresh_token_reused"}),
    (1, "jeton_decisions_total", {"reason": "refresh_token_reused"}),
    (1, "jeton_decisions_total", {"reason": "family_revoked"}),
    (2, "jeton_logins_total", {"outcome": "password_right"}),
    (1, "jeton_logins_total", {"outcome": "password_wrong"}),
    (1, "jeton_refusals_total", {"error": "invalid_grant", "reason": "refresh_token_reused"}),
    (5, REQUESTS, {"route": "/oauth/token", "method": "POST", "status": "200"}),
]
GROWING = [
    (1, "jeton_database_commit_duration_seconds_count", {"database": "sqlite"}),
    (1, "jeton_batch_items_count", {"queue": "ledger"}),
]


async def test_life_of_a_session_is_counted(jeton: Running, app: App) -> None:
    def counts() -> list[float]:
        return [value_of(name, **labels) for _, name, labels in LIFE + GROWING]

    before = counts()
    first = (await jeton.log_in(app))["refresh_token"]
    await jeton.token(app, None, grant_type="password", username="alice", password="wrong")
    assert (await jeton.refresh(app, first, "key-0123456789abcdef")).status_code == 200
    second = (await jeton.refresh(app, first, "key-0123456789abcdef")).json()["refresh_token"]
    await jeton.refreshed(app, second)
    assert (await jeton.refresh(app, first)).status_code == 400
    await jeton.revoke(app, (await jeton.log_in(app))["refresh_token"])

    increases = [after - was for after, was in zip(counts(), before, strict=True)]
    assert increases[: len(LIFE)] == [increase for increase, _, _ in LIFE]
    assert min(increases[len(LIFE) :]) > 0


async def test_limits_and_full_queues_are_counted(jeton: Running, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = value_of("jeton_rate_limited_total", limit="account")
    for _ in range(11):
        await jeton.token(app, None, grant_type="password", username="alice", password="wrong")
    assert value_of("jeton_rate_limited_total", limit="account") == limited + 1

    full = value_of("jeton_overloads_total", queue="login")
    monkeypatch.setattr("jeton.login.concurrency.MAX_WAITING", -concurrency.MAX_CONCURRENT)
    refused = await jeton.token(app, None, grant_type="password", username="bob", password=PASSWORD)
    assert refused.status_code == 503
    assert value_of("jeton_overloads_total", queue="login") == full + 1
    assert value_of("jeton_refusals_total", error="temporarily_unavailable", reason="HashingBusyError") >= 1


async def test_attempts_to_deliver_logout_tokens_are_counted_by_outcome(jeton: Running) -> None:
    before = {state: value_of("jeton_logout_attempts_total", outcome=state) for state in STATES}
    for status, client in (("200 OK", "delivers"), ("503 Busy", "waits"), ("400 Bad Request", "refuses")):
        async with logout_receiver(status) as receiver:
            add_receiving_app(jeton, client, receiver.uri)
            add_logouts(jeton, client, f"session of {client}")
            await deliver(jeton)

    assert {it: value_of("jeton_logout_attempts_total", outcome=it) - before[it] for it in STATES} == dict.fromkeys(
        STATES, 1
    )


@pytest.mark.requirement("ME01")
async def test_paths_and_methods_from_outside_are_no_labels(jeton: Running) -> None:
    """Other values of requests are tested in test_canaries.py."""
    await jeton.http.get("/canary-path")
    await jeton.http.request("CANARY", "/oauth/token")

    assert "canary" not in render_metrics(None).decode().lower()
    assert value_of(REQUESTS, route="/oauth/token", method="other", status="405") >= 1
    assert value_of(REQUESTS, route="none", method="GET", status="404") >= 1
    assert {label for metric in REGISTRY.collect() for it in metric.samples for label in it.labels} <= LABELS


@pytest.mark.requirement("ME01")
def test_reason_that_is_a_sentence_is_counted_as_malformed() -> None:
    before = value_of("jeton_refusals_total", error="invalid_request", reason="malformed")

    count_refusal("invalid_request", "The parameter canary is missing.")

    assert value_of("jeton_refusals_total", error="invalid_request", reason="malformed") == before + 1


@pytest.mark.both_databases
async def test_keys_and_rows_are_measured(jeton: Running, app: App) -> None:
    jeton.server.parts.background.measurements.read()
    sessions = value_of("jeton_rows", kind="sessions")
    await jeton.log_in(app)
    jeton.clock.advance(60)

    jeton.server.parts.background.measurements.read()

    now = jeton.clock.now()
    assert value_of("jeton_rows", kind="sessions") == sessions + 1
    assert (
        value_of("jeton_signing_key_activated_timestamp_seconds", series="access_token", algorithm="RS256") == now - 60
    )
    assert value_of("jeton_signing_key_rotation_timestamp_seconds", series="access_token") == now - 60 + 90 * 86400
    assert value_of("jeton_measured_timestamp_seconds", source="database") == now
    assert value_of("jeton_oldest_row_age_seconds", kind="logout_outbox") == 0
    assert value_of("jeton_oldest_expired_row_age_seconds", table="families") == 0

    jeton.clock.advance(90 * 86400)
    jeton.server.parts.background.measurements.read()

    assert value_of("jeton_rows", kind="sessions") == sessions
    assert value_of("jeton_oldest_expired_row_age_seconds", table="families") == 60


async def test_ended_series_of_keys_has_no_times(jeton: Running) -> None:
    """Otherwise its next rotation would be overdue some day."""
    measurements = jeton.server.parts.background.measurements
    jeton.rotation.ensure_id_token_keys(stored_keys(jeton), ["ES256"])
    measurements.read()
    assert value_of("jeton_signing_key_rotation_timestamp_seconds", series="ES256") > jeton.clock.now()

    with jeton.database.write() as connection:
        connection.execute(delete(id_token_keys))
    measurements.read()

    assert math.isnan(value_of("jeton_signing_key_rotation_timestamp_seconds", series="ES256"))
    assert value_of("jeton_signing_key_rotation_timestamp_seconds", series="access_token") > jeton.clock.now()


@pytest.mark.requirement("ME05")
async def test_public_listener_has_no_metrics(jeton: Running) -> None:
    assert (await jeton.http.get("/metrics")).status_code == 404


async def test_metrics_page_answers_nothing_else() -> None:
    page = metrics_page(lambda: render_metrics(None))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(page), base_url="http://127.0.0.1:9464") as http:
        shown, post, other = await http.get("/metrics"), await http.post("/metrics"), await http.get("/")

    assert shown.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert series_in(shown.text, "jeton_decisions_total", reason="code_reused") >= 0
    assert (post.status_code, post.headers["allow"], other.status_code) == (405, "GET, HEAD", 404)


async def test_each_response_of_the_listener_has_a_date() -> None:
    (listening,) = bind_sockets("127.0.0.1", 0, listen=True)
    serving = asyncio.create_task(MetricsListener([listening]).run())
    for request in (b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"no request\r\n"):
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(request)
        assert b"\r\ndate: " in await asyncio.wait_for(reader.read(), 5)
        writer.close()
    serving.cancel()
    await asyncio.wait([serving])


@pytest.mark.requirement("ME07")
async def test_health_depends_on_no_other_server(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getaddrinfo", Mock(side_effect=OSError))
    monkeypatch.setattr("jeton.outbound.client.OutboundClient._request", Mock(side_effect=OSError))
    jeton.shared_state.refresh()

    assert [(await jeton.http.get(path)).status_code for path in ("/livez", "/readyz")] == [200, 200]
