"""Exports metrics and spans: as Prometheus text always, to an OpenTelemetry collector where one is configured."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from worker.core.record_reading import read_headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.core.records import Record
    from worker.settings import TelemetrySettings

EXPORT_TIMEOUT_SECONDS = 5
"""For one export: a collector that hangs must not delay the end of the process for long."""

MAX_LINKS = 16
"""A request holds up to 2,000 records; a sample of their traces is enough to find it."""


class Providers:
    """The OpenTelemetry SDK of this process, without its globals.

    `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME` and the exporters' `OTEL_EXPORTER_OTLP_HEADERS` are
    honoured, as OpenTelemetry specifies them.

    Attributes:
        meter: makes instruments.
        tracing: None unless `telemetry.otlp_endpoint` is set and the sample ratio is above 0.
    """

    def __init__(self, settings: TelemetrySettings | None, version: str, process: int | None = None) -> None:
        resource = _resource(version, process)
        endpoint = settings.otlp_endpoint if settings else None
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        readers: list[MetricReader] = [
            PrometheusMetricReader(registry=self._registry, scope_info_enabled=False)
        ]
        self.tracing: Tracing | None = None
        if settings and endpoint:
            readers.append(_metrics_to(str(endpoint)))
            if settings.trace_sample_ratio > 0:
                self.tracing = Tracing(resource, settings.trace_sample_ratio, _spans_to(str(endpoint)))
        self._metrics = MeterProvider(readers, resource, shutdown_on_exit=False)
        self.meter = self._metrics.get_meter("pipelines_worker", version)
        self._stopped = False

    def prometheus(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def shutdown(self) -> None:
        """Export what is left. Idempotent."""
        if not self._stopped:
            self._stopped = True
            if self.tracing:
                self.tracing.shutdown()
            self._metrics.shutdown(timeout_millis=EXPORT_TIMEOUT_SECONDS * 1000)


class Tracing:
    """A span for each request, linked to the traces that its records came from."""

    def __init__(self, resource: Resource, ratio: float, processor: SpanProcessor) -> None:
        sampler = ParentBased(TraceIdRatioBased(ratio))
        self._provider = TracerProvider(sampler, resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("pipelines_worker")

    @contextmanager
    def request_span(self, records: Sequence[Record], calls: int) -> Iterator[None]:
        """A span around one request of `calls`; only a sampled span reads its records' headers."""
        with self._tracer.start_as_current_span(
            "POST /v1/batch",
            kind=trace.SpanKind.CLIENT,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            if span.is_recording():
                span.set_attribute("http.request.method", "POST")
                span.set_attribute("messaging.batch.message_count", calls)
                for context in linked(records):
                    span.add_link(context)
            yield

    def request_finished(self, status: int, failure: str | None) -> None:
        """Set the outcome of the current span's request."""
        span = trace.get_current_span()
        if status:
            span.set_attribute("http.response.status_code", status)
        if not 200 <= status < 300:
            span.set_attribute("error.type", failure or str(status))
            span.set_status(trace.StatusCode.ERROR)

    def shutdown(self) -> None:
        """Export what is left."""
        self._provider.shutdown()


def linked(records: Sequence[Record]) -> Iterator[trace.SpanContext]:
    """The W3C trace contexts of at most `MAX_LINKS` records, spread evenly; not every record has one."""
    step = -(-len(records) // MAX_LINKS) or 1
    for record in records[::step]:
        for name, value in read_headers(record):
            if name == "traceparent" and value:
                context = _extract(value)
                if context.is_valid:
                    yield context
                break


def _extract(value: bytes) -> trace.SpanContext:
    carrier = {"traceparent": value.decode("ascii", "replace")}
    return trace.get_current_span(_PROPAGATOR.extract(carrier)).get_span_context()


_PROPAGATOR = TraceContextTextMapPropagator()


_INSTANCE = "service.instance.id"


def _resource(version: str, process: int | None) -> Resource:
    """This process. The environment (OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME) takes precedence.

    An instance id from there is one for all processes of a `run`, so each appends its number.
    """
    ours = {
        "service.name": "customerio-pipelines-worker",
        "service.version": version,
        _INSTANCE: socket.gethostname(),
    }
    resource = Resource.create(ours).merge(OTELResourceDetector().detect())
    if process is None:
        return resource
    instance = str(resource.attributes[_INSTANCE])
    return resource.merge(Resource({_INSTANCE: f"{instance}-{process}"}))


def _metrics_to(endpoint: str) -> MetricReader:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415 - 0.2 s, needed by few
        OTLPMetricExporter,
    )

    exporter = OTLPMetricExporter(f"{endpoint.rstrip('/')}/v1/metrics", timeout=EXPORT_TIMEOUT_SECONDS)
    return PeriodicExportingMetricReader(exporter)


def _spans_to(endpoint: str) -> SpanProcessor:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - 0.2 s, needed by few
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - starts no thread unless used

    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT_SECONDS)
    return BatchSpanProcessor(exporter)
