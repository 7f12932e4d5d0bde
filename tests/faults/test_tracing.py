"""Traces of real processes: started by `opentelemetry-instrument`, with workers that are forked and replaced."""

import signal
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from support.server_processes import JETON, ServerProcess, children_of, environment, free_port, wait_until

SECONDS = 60
TRACE = "0af7651916cd43dd8448eb211c80319c"
EXPORTERS = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


@pytest.mark.timeout(240)  # three programs and four workers are started
def test_workers_send_their_spans_after_a_restart_by_sighup_and_at_their_end(tmp_path: Path) -> None:
    server = ServerProcess(
        free_port(),
        tmp_path,
        environment(f"sqlite:///{tmp_path}/jeton.db", SERVER__DRAIN_SECONDS="0") | EXPORTERS,
        ("--workers", "2"),
        (str(JETON.with_name("opentelemetry-instrument")), str(JETON), "serve"),
    )
    with server.serving():
        wait_until(lambda: server.log.count("Application startup complete.") == 2, "two workers", SECONDS)
        before = set(children_of(server.pid))
        server.signal(signal.SIGHUP)
        wait_until(lambda: len(now := set(children_of(server.pid))) == 2 and not now & before, "new workers", SECONDS)

        with urlopen(Request(f"{server.url}/livez", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})):
            pass
        server.signal(signal.SIGTERM)
        assert server.wait() == 0

    assert server.log.count(f'"trace_id": "0x{TRACE}"') == 1
