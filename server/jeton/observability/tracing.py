"""Spans of OpenTelemetry: requests, batches, password hashes and outbound requests (ADR 0042).

Names and attributes are fixed words, numbers, path templates and host names: no URL, header, token, user or session.
OpenTelemetry is imported only where spans are made: the import takes 45 ms, which every command would have to wait for.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from jeton.observability.metrics import REQUEST_SECONDS

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import Histogram
    from opentelemetry.trace import Span, SpanKind, Tracer

_API: Final = "opentelemetry.trace"
_NAME: Final = "jeton"

# By the semantic conventions of OpenTelemetry for HTTP (1.44), if they name it.
Attributes: TypeAlias = dict[str, str | int]
# Where a span belongs that is made later, in a thread; None: it is not made.
Caller: TypeAlias = "Context | None"
T = TypeVar("T")


class Tracing:
    """Makes spans once it is started, and until then nothing."""

    def __init__(self) -> None:
        self._tracer: Tracer | None = None
        self._request_duration: Histogram | None = None

    def start(self) -> None:
        """Make spans from now on, if an SDK of OpenTelemetry is set up in this process; otherwise none."""
        self._tracer = self._request_duration = None
        # What sets one up has imported this.
        if _API not in sys.modules:
            return
        from opentelemetry import metrics, trace

        provider = trace.get_tracer_provider()
        if isinstance(provider, trace.ProxyTracerProvider):
            return
        self._tracer = provider.get_tracer(_NAME)
        self._request_duration = metrics.get_meter(_NAME).create_histogram(
            "http.server.request.duration",
            unit="s",
            description="Duration of HTTP server requests.",
            explicit_bucket_boundaries_advisory=REQUEST_SECONDS,
        )

    @property
    def is_on(self) -> bool:
        return self._tracer is not None

    @property
    def trace_id(self) -> str | None:
        """The identifier of the current trace, in hexadecimal; None without one."""
        if self._tracer is None:
            return None
        from opentelemetry import trace

        context = trace.get_current_span().get_span_context()
        return trace.format_trace_id(context.trace_id) if context.is_valid else None

    def caller(self) -> Caller:
        """Return where spans of the current trace belong, or None if there is none, or none that is recorded."""
        if self._tracer is None:
            return None
        from opentelemetry import context, trace

        return context.get_current() if trace.get_current_span().is_recording() else None

    @contextmanager
    def request(self, method: str, scheme: str, traceparent: str | None) -> Iterator[Attributes]:
        """Make the span of a request that is served, in the trace of `traceparent` (W3C Trace Context) if it is valid.

        Yield its attributes, for `http.route`, `http.response.status_code` and `error.type`. The duration is recorded.
        """
        if self._tracer is None or self._request_duration is None:
            yield {}
            return
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent or ""}, Context())
        attributes: Attributes = {"http.request.method": method, "url.scheme": scheme}
        began = time.perf_counter()
        try:
            with self._span(self._tracer, method, SpanKind.SERVER, attributes, parent) as span:
                try:
                    yield attributes
                finally:
                    span.update_name(f"{method} {attributes.get('http.route', '')}".rstrip())
        finally:
            self._request_duration.record(time.perf_counter() - began, attributes)

    @contextmanager
    def outbound_request(self, method: str, host: str, port: int) -> Iterator[Attributes]:
        """Make the span of a request to another server. Yield its attributes, for what came of it."""
        if self._tracer is None:
            yield {}
            return
        from opentelemetry.trace import SpanKind

        attributes: Attributes = {"http.request.method": method, "server.address": host, "server.port": port}
        with self._span(self._tracer, method, SpanKind.CLIENT, attributes):
            yield attributes

    def traced(self, name: str, work: Callable[[], T]) -> Callable[[], T]:
        """Return `work` with a span in the trace of the caller of this, for a thread that will run it."""
        tracer, caller = self._tracer, self.caller()
        if tracer is None or caller is None:
            return work
        from opentelemetry.trace import SpanKind

        def run() -> T:
            with self._span(tracer, name, SpanKind.INTERNAL, {}, caller):
                return work()

        return run

    def record_batch(self, name: str, seconds: float, callers: Sequence[Caller], results: Sequence[object]) -> None:
        """Make a span for each caller of a batch that has just ended, in the trace of that caller. Never raise."""
        tracer, ended = self._tracer, time.time_ns()
        began = ended - int(seconds * 1e9)
        # The thread of the batches must outlive a processor of spans that fails.
        with suppress(Exception):
            for caller, result in zip(callers, results, strict=True):
                if tracer is None or caller is None:
                    continue
                attributes: Attributes = {"jeton.batch.items": len(results)}
                if isinstance(result, Exception):
                    attributes["error.type"] = type(result).__name__
                tracer.start_span(f"batch {name}", caller, attributes=attributes, start_time=began).end(ended)

    @contextmanager
    def _span(
        self, tracer: "Tracer", name: str, kind: "SpanKind", attributes: Attributes, parent: Caller = None
    ) -> Iterator["Span"]:
        """Make a span that is current. Its attributes are set at its end; of an exception only the class."""
        from opentelemetry.trace import StatusCode

        with tracer.start_as_current_span(
            name, parent, kind, attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as error:
                attributes.setdefault("error.type", type(error).__name__)
                raise
            finally:
                span.set_attributes(attributes)
                if "error.type" in attributes:
                    span.set_status(StatusCode.ERROR)


tracing: Final = Tracing()
