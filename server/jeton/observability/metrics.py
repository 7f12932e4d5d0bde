"""Metrics of a process (Prometheus). Each is defined here, and counted where it happens.

Every metric has labels, and every label a closed set of values: no user, session, address, token or `client_id`. Values
are created when a label is first used, so that `metrics_sharing.py` can decide before where they are stored.
"""

import re
from functools import lru_cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase

# When a series began is of no use here, and doubles the output.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY: Final = CollectorRegistry()

# Bounds in seconds, those of `http.server.request.duration` (OpenTelemetry semantic conventions for HTTP).
REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_BATCH_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
_BATCH_ITEMS: Final = (1, 2, 4, 8, 16, 32, 64, 128)
# All our reasons are words like `password_wrong` or names of exceptions, or else sentences about a malformed request.
_WORD: Final = re.compile(r"[a-z_]{1,64}|[A-Z][A-Za-z]{1,63}")
_MALFORMED: Final = "malformed"
# Rare decisions that alerts are for: a series that began at 1 would show no increase.
_RARE_DECISIONS: Final = ("refresh_token_reused", "code_reused", "fast_forwarded")


def _counter(name: str, help_text: str, *labels: str) -> Counter:
    return Counter(name, help_text, labels, registry=REGISTRY)


def _histogram(name: str, help_text: str, bounds: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(name, help_text, labels, buckets=bounds, registry=REGISTRY)


def _sum(name: str, help_text: str, *labels: str) -> Gauge:
    """Return a gauge that all workers of a server have a part in."""
    return Gauge(name, help_text, labels, registry=REGISTRY, multiprocess_mode="livesum")


def _latest(name: str, help_text: str, *labels: str) -> Gauge:
    """Return a gauge of something that all workers of a server see alike."""
    return Gauge(name, help_text, labels, registry=REGISTRY, multiprocess_mode="livemostrecent")


HTTP_DURATION: Final = _histogram(
    "jeton_http_request_duration_seconds",
    "Time from request head to response, by path template, method and status.",
    REQUEST_SECONDS,
    *("route", "method", "status"),
)
REFUSALS: Final = _counter("jeton_refusals_total", "Refused requests by error code and reason.", "error", "reason")
GRANTS: Final = _counter(
    "jeton_grants_total", "Decisions of the token endpoint by grant type and outcome.", "grant_type", "outcome"
)
DECISIONS: Final = _counter("jeton_decisions_total", "Decisions of the ledger, after their commit.", "reason")
LOGINS: Final = _counter("jeton_logins_total", "Checked passwords by outcome.", "outcome")
RATE_LIMITED: Final = _counter("jeton_rate_limited_total", "Attempts that a rate limit refused.", "limit")
OVERLOADS: Final = _counter("jeton_overloads_total", "Requests refused because a queue was full.", "queue")

LOGOUT_ATTEMPTS: Final = _counter("jeton_logout_attempts_total", "Attempts to deliver a logout token.", "outcome")
DOCUMENT_FETCHES: Final = _histogram(
    "jeton_metadata_document_fetch_duration_seconds",
    "Time to fetch the metadata document of a client.",
    REQUEST_SECONDS,
    "outcome",
)

PASSWORD_HASHES: Final = _sum("jeton_password_hashes", "Password hashes that run or wait for a thread.", "state")

BATCH_ITEMS: Final = _histogram("jeton_batch_items", "Requests per batch.", _BATCH_ITEMS, "queue")
BATCH_WAIT: Final = _histogram(
    "jeton_batch_wait_seconds", "Time that the first request of a batch waited.", _BATCH_SECONDS, "queue"
)
BATCH_DURATION: Final = _histogram(
    "jeton_batch_duration_seconds", "Time that a batch took, commit included.", _BATCH_SECONDS, "queue"
)
COMMIT_DURATION: Final = _histogram(
    "jeton_database_commit_duration_seconds", "Time of a commit.", _BATCH_SECONDS, "database"
)
DATABASE_ERRORS: Final = _counter("jeton_database_errors_total", "Failed transactions by kind of error.", "error")

KEY_ACTIVATED: Final = _latest(
    "jeton_signing_key_activated_timestamp_seconds", "When the key that signs began to.", "series", "algorithm"
)
KEY_ROTATION: Final = _latest(
    "jeton_signing_key_rotation_timestamp_seconds", "When the next key begins to sign.", "series"
)
ROWS: Final = _latest("jeton_rows", "Rows by kind, counted up to 100000; the replay store up to its maximum.", "kind")
OLDEST_ROW: Final = _latest("jeton_oldest_row_age_seconds", "Age of the oldest row of a kind; 0 without one.", "kind")
OLDEST_EXPIRED: Final = _latest(
    "jeton_oldest_expired_row_age_seconds", "How long ago the oldest row expired; 0 without one.", "table"
)
MEASURED: Final = _latest("jeton_measured_timestamp_seconds", "When these gauges were last read.", "source")


@lru_cache(maxsize=4096)
def request_duration(route: str, method: str, status: str) -> Histogram:
    return HTTP_DURATION.labels(route, method, status)


@lru_cache(maxsize=1024)
def grants_with(grant_type: str, outcome: str) -> Counter:
    return GRANTS.labels(grant_type, outcome)


@lru_cache(maxsize=1024)
def decisions_with(reason: str) -> Counter:
    return DECISIONS.labels(reason)


def begin_rare_decisions() -> None:
    """Let the metrics of rare decisions begin at 0."""
    for reason in _RARE_DECISIONS:
        decisions_with(reason)


def forget_counts() -> None:
    """Forget all counts and series: a process that forks has counted for itself alone."""
    for metric in globals().values():
        if isinstance(metric, MetricWrapperBase):
            metric.clear()
    for cached in (request_duration, grants_with, decisions_with):
        cached.cache_clear()


def count_refusal(error: str, reason: str) -> None:
    """Count a refused request. A reason that is a sentence counts as `malformed`."""
    REFUSALS.labels(error, reason if _WORD.fullmatch(reason) else _MALFORMED).inc()
