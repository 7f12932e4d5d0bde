"""Traces and request metrics of OpenTelemetry: what each span says, and whose trace it belongs to (ADR 0042)."""

import json
import subprocess
import sys
from typing import Final

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from jeton.observability.metrics import REQUEST_SECONDS
from jeton.observability.tracing import tracing
from jeton.outbound.client import OutboundClient
from jeton.outbound.messages import OutboundError
from support.in_process_server import MASTER_KEY, App, Running
from support.recorded_spans import RecordedSpans, attributes_of, trace_of
from support.written_log import WrittenLog

pytestmark = pytest.mark.anyio

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
PARENT: Final = "b7ad6b7169203331"
TOKEN: Final = {"http.request.method": "POST", "url.scheme": "http", "http.route": "/oauth/token"}


@pytest.mark.requirement("ME02", "ME03", "ME04")
async def test_span_of_a_request_has_method_template_and_status_only(spans: RecordedSpans, jeton: Running) -> None:
    jeton.add_user()
    await jeton.log_in(jeton.add_client())
    await jeton.http.get("/oauth/status/1?query=canary")
    await jeton.http.get("/no/such/path")
    await jeton.http.request("CANARY", "/oauth/token")

    span = spans.only("POST /oauth/token")
    assert (span.kind, span.status.status_code) == (SpanKind.SERVER, StatusCode.UNSET)
    assert attributes_of(span) == TOKEN | {"http.response.status_code": 200}
    assert attributes_of(spans.only("GET /oauth/status/{number}"))["http.route"] == "/oauth/status/{number}"
    assert "http.route" not in attributes_of(spans.only("GET"))
    assert attributes_of(spans.only("_OTHER /oauth/token"))["http.request.method"] == "_OTHER"


@pytest.mark.requirement("ME02")
async def test_failures_of_the_server_are_errors_and_refusals_are_not(
    spans: RecordedSpans, jeton: Running, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await jeton.token(app, None, grant_type="password", username="alice", password="wrong")
    monkeypatch.setattr(jeton.keyring.signer, "sign", None)
    await jeton.token(app, None, grant_type="client_credentials")

    refused, failed = spans.named("POST /oauth/token")
    assert refused.status.status_code is StatusCode.UNSET
    assert attributes_of(refused) == TOKEN | {"http.response.status_code": 400}
    assert failed.status.status_code is StatusCode.ERROR
    assert attributes_of(failed) == TOKEN | {"http.response.status_code": 500, "error.type": "500"}


@pytest.mark.requirement("ME02")
async def test_requests_are_measured_with_the_bounds_of_the_convention(spans: RecordedSpans, jeton: Running) -> None:
    await jeton.http.get("/livez")

    metric, *more = json.loads(spans.metrics)["resource_metrics"][0]["scope_metrics"][0]["metrics"]
    assert (metric["name"], metric["unit"], more) == ("http.server.request.duration", "s", [])
    (point,) = metric["data"]["data_points"]
    attributes = {"http.request.method": "GET", "url.scheme": "http", "http.route": "/livez"}
    assert point["attributes"] == attributes | {"http.response.status_code": 200}
    assert tuple(point["explicit_bounds"]) == REQUEST_SECONDS


@pytest.mark.parametrize(
    ("traceparent", "is_continued"), [(f"00-{TRACE}-{PARENT}-01", True), ("00-x-y-01", False), (None, False)]
)
async def test_request_continues_the_trace_of_its_caller_without_the_tracestate(
    spans: RecordedSpans, jeton: Running, traceparent: str | None, is_continued: bool
) -> None:
    headers = {"traceparent": traceparent} if traceparent else {}
    await jeton.http.get("/livez", headers={**headers, "tracestate": "canary=1", "baggage": "canary=1"})

    span = spans.only("GET /livez")
    assert (trace_of(span) == TRACE) is is_continued
    assert (span.parent is not None) is is_continued
    assert "canary" not in spans.text


async def test_password_hash_and_transaction_are_spans_of_their_request(spans: RecordedSpans, jeton: Running) -> None:
    jeton.add_user()
    await jeton.log_in(jeton.add_client())
    # The span is made by its thread after the response.
    jeton.ledger.close()

    request = spans.only("POST /oauth/token")
    for name, attributes in (("password hash", {}), ("batch ledger", {"jeton.batch.items": 1})):
        span = spans.only(name)
        assert span.parent == request.get_span_context()
        assert attributes_of(span) == attributes
        assert (request.start_time or 0) <= (span.start_time or 0) <= (span.end_time or 0)


async def test_failing_processor_of_spans_stops_no_ledger(spans: RecordedSpans, jeton: Running, app: App) -> None:
    class Failing(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            if span.name == "batch ledger":
                raise RuntimeError

    spans.tracers.add_span_processor(Failing())
    await jeton.log_in(app)
    await jeton.log_in(app)


async def test_background_work_is_not_traced(spans: RecordedSpans, jeton: Running) -> None:
    delivery = jeton.server.parts.background.logout_delivery
    await delivery.start_due()
    delivery.close()

    assert "span_id" not in spans.text


async def test_outbound_request_is_a_span_with_host_and_reason(spans: RecordedSpans) -> None:
    tracing.start()
    client = OutboundClient(allow_private_addresses=False)
    with pytest.raises(OutboundError):
        await client.get("https://127.0.0.1:8443/canary?canary=canary")

    span = spans.only("GET")
    assert (span.kind, span.status.status_code) == (SpanKind.CLIENT, StatusCode.ERROR)
    target = {"server.address": "127.0.0.1", "server.port": 8443}
    assert attributes_of(span) == {"http.request.method": "GET", **target, "error.type": "address_not_allowed"}
    assert "canary" not in spans.text


@pytest.mark.requirement("ME03")
async def test_exception_is_recorded_by_its_class_alone(spans: RecordedSpans) -> None:
    tracing.start()

    def fail() -> None:
        raise LookupError("canary")

    with tracing.request("GET", "http", None), pytest.raises(LookupError):
        tracing.traced("password hash", fail)()

    span = spans.only("password hash")
    assert (attributes_of(span), span.status.description) == ({"error.type": "LookupError"}, None)
    assert "canary" not in spans.text


async def test_log_lines_of_a_request_have_its_trace(spans: RecordedSpans, logged: WrittenLog, jeton: Running) -> None:
    await jeton.http.post("/oauth/token")

    (line,) = logged.lines("request_refused")
    assert line["trace_id"] == trace_of(spans.only("POST /oauth/token"))


def test_server_without_an_sdk_does_not_import_opentelemetry(sqlite_url: str) -> None:
    code = (
        "import sys; from jeton.bootstrap.server import check_start; check_start();"
        "print([it for it in sys.modules if it.startswith('opentelemetry')])"
    )
    environment = {"JETON_DATABASE__URL": sqlite_url, "JETON_SECRETS__MASTER_KEY": MASTER_KEY}

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
