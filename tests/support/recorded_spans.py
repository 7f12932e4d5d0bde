"""Spans and metrics of OpenTelemetry, recorded in memory."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_trace_id

from jeton.observability.tracing import tracing


class RecordedSpans:
    """The spans that an exporter would send."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._metrics = InMemoryMetricReader()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meters = MeterProvider([self._metrics], shutdown_on_exit=False)

    @property
    def text(self) -> str:
        """All spans as text, with every attribute, event and link."""
        spans = "".join(it.to_json() for it in self._spans.get_finished_spans())
        return f"{spans} {self.metrics}"

    @property
    def metrics(self) -> str:
        data = self._metrics.get_metrics_data()
        return str(data.to_json()) if data is not None else ""

    def named(self, name: str) -> list[ReadableSpan]:
        return [it for it in self._spans.get_finished_spans() if it.name == name]

    def only(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span


def attributes_of(span: ReadableSpan) -> Mapping[str, Any]:
    return span.attributes or {}


def trace_of(span: ReadableSpan) -> str:
    """Return the trace id of the span in hexadecimal."""
    context = span.get_span_context()
    assert context is not None
    return format_trace_id(context.trace_id)


@contextmanager
def recorded_spans() -> Iterator[RecordedSpans]:
    """Trace servers that start before the end of the block. Yield their spans."""
    spans = RecordedSpans()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("opentelemetry.trace.get_tracer_provider", lambda: spans.tracers)
        patch.setattr("opentelemetry.metrics.get_meter", spans.meters.get_meter)
        yield spans
    tracing.start()
    spans.tracers.shutdown()
    spans.meters.shutdown()
