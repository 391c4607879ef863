"""What the worker tells: counts, metrics, spans and log lines, bounded and without anyone's data."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.http_faults import FaultyServer, faulty_server, reply, unused_port
from worker.customerio.notices import Notice
from worker.settings import TelemetrySettings
from worker.telemetry.opentelemetry import MAX_LINKS, linked
from worker.telemetry.telemetry import Observation, Telemetry

TRACE = "0af7651916cd43dd8448eb211c80319c"


class Clock:
    """Monotonic seconds that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Headed:
    """A record of which only the headers are looked at."""

    def __init__(self, *headers: tuple[str, bytes | None]) -> None:
        self._headers = list(headers) or None

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self._headers

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nothing but the headers is anybody's business: {name}")


def traced(span: int, *, flags: str = "01") -> Headed:
    return Headed(("other", b"x"), ("traceparent", f"00-{TRACE}-{span:016x}-{flags}".encode()))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def telemetry(clock: Clock) -> Iterator[Telemetry]:
    told = Telemetry(clock=clock)
    yield told
    told.shutdown()


def metric(telemetry: Telemetry, series: str) -> float | None:
    """The value of one series of /metrics, written as it stands there."""
    for line in telemetry.prometheus().decode().splitlines():
        name, _, value = line.rpartition(" ")
        if name == f"pipelines_worker_{series}":
            return float(value)
    return None


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.__dict__["event"] for record in caplog.records]


def fields(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    found: dict[str, Any] = caplog.records[-1].__dict__["fields"]
    return found


VERBS: list[tuple[Callable[[Telemetry], None], str, float]] = [
    (lambda t: t.records_consumed(3, "a"), 'records_consumed_total{topic="a"}', 3),
    (lambda t: t.records_ignored(2, "a"), 'records_ignored_total{topic="a"}', 2),
    (
        lambda t: t.record_rejected("decode", "INVALID_JSON", "a"),
        'records_rejected_total{reason="INVALID_JSON",stage="decode",topic="a"}',
        1,
    ),
    (lambda t: t.records_lost("a", 0, 9), 'records_lost_total{topic="a"}', 9),
    (lambda t: t.partition_restarted("a", 0), 'partitions_restarted_total{topic="a"}', 1),
    (lambda t: t.calls_delivered(4), "calls_delivered_total", 4),
    (
        lambda t: t.calls_noticed(Notice.FUTURE_TIME, "m.yaml:3", 4),
        'calls_noticed_total{kind="future_time"}',
        4,
    ),
    (lambda t: t.freshness_measured(72 * 3600.0), "requests_too_late_total", 0),
    (lambda t: t.freshness_measured(72 * 3600.1), "requests_too_late_total", 1),
    (lambda t: t.batch_closed("full", 5, 700), 'batch_calls_sum{why="full"}', 5),
    (lambda t: t.batch_closed("full", 5, 700), 'batch_size_bytes_sum{why="full"}', 700),
    (lambda t: t.request_finished(200, 0.5, 700), 'request_duration_seconds_sum{status="200"}', 0.5),
    (lambda t: t.request_finished(0, 0.5, 7, "dns"), 'request_sent_bytes_total{status="dns"}', 7),
    (lambda t: t.request_retried("503"), 'requests_retried_total{reason="503"}', 1),
    (lambda t: t.tokens_awaited(1.5), "rate_limit_awaited_seconds_total", 1.5),
    (lambda t: t.freshness_measured(2.0), 'freshness_seconds_bucket{le="2.5"}', 1),
    (lambda t: t.delivery_held("HTTP_401", 401), 'delivery_held_total{reason="HTTP_401"}', 1),
    (lambda t: t.storm_broke(1000, 1.0), "storms_broken_total", 1),
    (
        lambda t: t.dead_letters_written(6, "REFUSED", "a"),
        'dead_letters_written_total{reason="REFUSED",topic="a"}',
        6,
    ),
    (lambda t: t.dead_letters_failed(6, "timed out"), "dead_letters_failed_total", 6),
    (lambda t: t.partitions_assigned([("a", 0), ("a", 1)]), 'partitions_changed_total{change="assigned"}', 2),
    (lambda t: t.partitions_revoked([("a", 0)]), 'partitions_changed_total{change="revoked"}', 1),
    (lambda t: t.partitions_lost([("a", 0)]), 'partitions_changed_total{change="lost"}', 1),
    (lambda t: t.offsets_committed(2), "offsets_committed_total", 2),
    (lambda t: t.commit_failed("timed out"), "commits_failed_total", 1),
    (lambda t: t.source_failed("broker down"), "source_failed_total", 1),
    (lambda t: t.mapper_was_slow("m:f", 1.2), 'mappers_slow_total{mapper="m:f"}', 1),
]


@pytest.mark.parametrize(("verb", "series", "value"), VERBS)
def test_every_verb_is_measured(
    telemetry: Telemetry, verb: Callable[[Telemetry], None], series: str, value: float
) -> None:
    verb(telemetry)

    assert metric(telemetry, series) == value


def test_totals_are_what_happened_and_a_copy(telemetry: Telemetry) -> None:
    for verb, _, _ in VERBS:
        verb(telemetry)
    totals = telemetry.totals()
    totals.rejected.clear()

    again = telemetry.totals()
    assert (again.consumed, again.ignored, again.lost, again.delivered) == (3, 2, 9, 4)
    assert again.rejected == {"INVALID_JSON": 1}
    assert again.requests == {"200": 1, "dns": 1}
    assert (again.retries, again.batches) == ({"503": 1}, {"full": 2})
    assert (again.dead_letters, again.dead_letters_failed) == ({"REFUSED": 6}, 6)
    assert (again.holds, again.storms, again.commits_failed) == ({"HTTP_401": 1}, 1, 1)
    assert again.freshness_seconds == 2.0


def test_gauges_and_status_read_the_current_state(telemetry: Telemetry) -> None:
    now = Observation(
        in_progress_records=7,
        in_progress_bytes=900,
        in_flight_requests=2,
        lag={("a", 1): 40, ("a", 0): 2},
        oldest_undelivered={("a", 1): 3.5},
        hold="HTTP_401",
        paused=True,
    )
    telemetry.observe(lambda: now)

    assert metric(telemetry, "in_progress_records") == 7
    assert metric(telemetry, "in_progress_size_bytes") == 900
    assert metric(telemetry, "in_flight_requests") == 2
    assert metric(telemetry, 'partition_lag{partition="1",topic="a"}') == 40
    assert metric(telemetry, 'partition_oldest_undelivered_seconds{partition="1",topic="a"}') == 3.5
    assert metric(telemetry, 'on_hold{reason="HTTP_401"}') == 1
    assert metric(telemetry, "paused") == 1
    status = telemetry.status()
    assert [(p["partition"], p["lag"]) for p in status["partitions"]] == [(0, 2), (1, 40)]
    assert status["oldest_undelivered"] == 3.5


async def test_another_thread_gets_what_the_event_loop_observes(telemetry: Telemetry) -> None:
    """Exporters have threads of their own; the pipeline's state belongs to the event loop's."""
    own = asyncio.get_running_loop()

    def observe() -> Observation:
        assert asyncio.get_running_loop() is own
        return Observation(in_progress_records=5)

    telemetry.observe(observe)

    assert (await asyncio.to_thread(telemetry.status))["in_progress"]["records"] == 5
    telemetry.shutdown()


def test_after_shutdown_the_last_observation_is_kept(telemetry: Telemetry) -> None:
    telemetry.observe(lambda: Observation(in_flight_requests=3))
    telemetry.shutdown()

    assert telemetry.status()["in_flight_requests"] == 3


@given(st.lists(st.text(max_size=70) | st.from_regex(r"[A-Z][A-Z0-9_]{0,63}", fullmatch=True), max_size=20))
def test_reasons_become_bounded_upper_case_labels(reasons: list[str]) -> None:
    telemetry = Telemetry()
    for reason in reasons:
        telemetry.record_rejected("map", reason, "a")
    telemetry.shutdown()

    rejected = telemetry.totals().rejected
    assert sum(rejected.values()) == len(reasons)
    assert all(reason.isascii() and reason == reason.upper() and len(reason) <= 64 for reason in rejected)


def test_however_many_codes_mappers_invent_few_become_labels(telemetry: Telemetry) -> None:
    for n in range(1000):
        telemetry.dead_letters_written(1, f"CODE_{n}", "a")

    assert len(telemetry.totals().dead_letters) == 201
    assert telemetry.totals().dead_letters["OTHER"] == 800


def test_what_happens_with_every_batch_is_not_logged(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    telemetry.records_consumed(1, "a")
    telemetry.records_ignored(1, "a")
    telemetry.record_rejected("map", "NOPE", "a")
    telemetry.batch_closed("full", 1, 1)
    telemetry.tokens_awaited(0.1)
    telemetry.request_finished(200, 0.1, 1)
    telemetry.calls_delivered(1)
    telemetry.freshness_measured(0.1)
    telemetry.offsets_committed(1)

    assert caplog.records == []


def test_a_hold_is_logged_when_it_begins_changes_and_ends(
    telemetry: Telemetry, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    telemetry.delivery_resumed()
    for _ in range(5):
        telemetry.delivery_held("HTTP_401", 401, ("bad key",))
    telemetry.delivery_held("HTTP_403", 403)
    clock.now = 90.0
    telemetry.delivery_resumed()
    telemetry.delivery_resumed()

    assert events(caplog) == ["delivery_held", "delivery_held", "delivery_resumed"]
    assert fields(caplog) == {"held_seconds": 90.0}
    assert telemetry.totals().holds == {"HTTP_401": 1, "HTTP_403": 1}


def test_repeated_messages_are_logged_once_and_then_as_a_count(
    telemetry: Telemetry, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for second in range(25):
        clock.now = float(second)
        for _ in range(10):
            telemetry.dead_letters_written(1, "REFUSED", "a")
    telemetry.dead_letters_written(4, "OTHER_REASON", "a")

    counts = [(r.__dict__["fields"]["reason"], r.__dict__["fields"]["count"]) for r in caplog.records]
    assert counts == [("REFUSED", 1), ("REFUSED", 100), ("REFUSED", 100), ("OTHER_REASON", 4)]


def test_what_was_kept_back_is_told_by_a_later_commit_or_at_the_end(
    telemetry: Telemetry, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        telemetry.commit_failed("timed out")
    telemetry.offsets_committed(1)
    clock.now = 10.0
    telemetry.offsets_committed(1)
    telemetry.commit_failed("timed out")
    telemetry.worker_stopped()

    failures = [
        r.__dict__["fields"]["count"] for r in caplog.records if r.__dict__["event"] == "commit_failed"
    ]
    assert failures == [1, 2, 1]


def test_start_and_stop_are_logged_with_their_facts(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    telemetry.worker_started(group_id="g", topics=["a"])
    telemetry.configuration_warned("pipelines.strict is off")
    telemetry.partitions_assigned([("a", 1), ("a", 0)])
    telemetry.partitions_assigned([])
    telemetry.draining("SIGTERM")
    telemetry.worker_stopped(exit_code=0)

    assert events(caplog) == [
        "worker_started",
        "configuration_warned",
        "partitions_assigned",
        "draining",
        "worker_stopped",
    ]
    assert caplog.records[2].__dict__["fields"] == {"count": 2, "partitions": {"a": [0, 1]}}
    assert fields(caplog)["exit_code"] == 0


def test_without_a_collector_a_request_has_no_span_and_no_record_is_looked_at(telemetry: Telemetry) -> None:
    with telemetry.request_span([Headed()], 1) as span:
        telemetry.request_finished(200, 0.1, 1)

    assert span is None


@given(st.lists(st.none() | st.binary(max_size=60), max_size=100))
def test_links_are_few_and_garbage_gives_none(values: list[bytes | None]) -> None:
    records: Any = [Headed(("traceparent", value)) for value in values]

    assert list(linked(records)) == []


@given(st.integers(0, 500))
def test_links_are_a_sample_over_all_records(n: int) -> None:
    records: Any = [traced(span) for span in range(1, n + 1)]

    spans = [context.span_id for context in linked(records)]
    assert len(spans) == min(n, MAX_LINKS) or MAX_LINKS / 2 <= len(spans) <= MAX_LINKS
    assert spans == sorted(set(spans))


def collector_settings(url: str, ratio: float) -> TelemetrySettings:
    return TelemetrySettings(otlp_endpoint=url, trace_sample_ratio=ratio)


def spans_of(server: FaultyServer) -> list[Any]:
    exported = [
        ExportTraceServiceRequest.FromString(request.body)
        for request in server.requests
        if request.target == "/v1/traces"
    ]
    return [span for each in exported for r in each.resource_spans for s in r.scope_spans for span in s.spans]


async def test_a_collector_gets_metrics_and_a_span_for_each_request_with_links(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    async with faulty_server(reply(200, b"")) as server:
        telemetry = await asyncio.to_thread(Telemetry, collector_settings(server.url, 1.0), version="9.9.9")
        telemetry.observe(lambda: Observation(in_progress_records=5))
        records: Any = [traced(7), Headed(), traced(8, flags="00"), Headed(("traceparent", b"nonsense"))]
        with telemetry.request_span(records, 250):
            telemetry.request_finished(503, 0.1, 10)
        await asyncio.to_thread(telemetry.shutdown)

    [span] = spans_of(server)
    attributes = {a.key: a.value.int_value or a.value.string_value for a in span.attributes}
    assert span.name == "POST /v1/batch"
    assert [int.from_bytes(link.span_id, "big") for link in span.links] == [7, 8]
    assert {link.trace_id.hex() for link in span.links} == {TRACE}
    assert attributes == {
        "http.request.method": "POST",
        "messaging.batch.message_count": 250,
        "http.response.status_code": 503,
        "error.type": "503",
    }
    [metrics] = [
        ExportMetricsServiceRequest.FromString(r.body) for r in server.requests if r.target == "/v1/metrics"
    ]
    resource = {a.key: a.value.string_value for a in metrics.resource_metrics[0].resource.attributes}
    assert resource["service.name"] == "customerio-pipelines-worker"
    assert resource["service.version"] == "9.9.9"
    assert resource["deployment.environment"] == "test"
    names = {m.name for r in metrics.resource_metrics for s in r.scope_metrics for m in s.metrics}
    assert {"pipelines_worker.request.duration", "pipelines_worker.in_progress.records"} <= names


@pytest.mark.parametrize(
    ("given", "instance"), [("", socket.gethostname()), ("service.instance.id=pod-a", "pod-a")]
)
async def test_each_process_of_a_run_has_an_instance_id_of_its_own(
    monkeypatch: pytest.MonkeyPatch, given: str, instance: str
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", given)
    async with faulty_server(reply(200, b"")) as server:
        for process in (None, 0, 1):
            telemetry = Telemetry(collector_settings(server.url, 0.0), process=process)
            await asyncio.to_thread(telemetry.shutdown)

    resources = [
        each.resource
        for request in server.requests
        for each in ExportMetricsServiceRequest.FromString(request.body).resource_metrics
    ]
    instances = [
        a.value.string_value for each in resources for a in each.attributes if a.key == "service.instance.id"
    ]
    assert instances == [instance, f"{instance}-0", f"{instance}-1"]


async def test_with_a_ratio_of_0_there_are_metrics_and_no_spans() -> None:
    async with faulty_server(reply(200, b"")) as server:
        telemetry = await asyncio.to_thread(Telemetry, collector_settings(server.url, 0.0))
        with telemetry.request_span([], 0) as span:
            pass
        await asyncio.to_thread(telemetry.shutdown)

    assert span is None
    assert {request.target for request in server.requests} == {"/v1/metrics"}


def test_a_collector_that_is_away_stops_nothing() -> None:
    telemetry = Telemetry(collector_settings(f"http://127.0.0.1:{unused_port()}", 1.0))
    telemetry.calls_delivered(1)
    telemetry.shutdown()
    telemetry.shutdown()

    assert telemetry.totals().delivered == 1


def test_counters_exist_with_0_before_their_first_event(telemetry: Telemetry) -> None:
    """Otherwise Prometheus' `increase()` would not see it."""
    at_start = re.findall(
        r"^pipelines_worker_(\w+_total) 0\.0$", telemetry.prometheus().decode(), re.MULTILINE
    )
    telemetry.partitions_assigned([("a", 0), ("a", 1), ("b", 0)])
    telemetry.record_rejected("decode", "INVALID_JSON", "b")
    telemetry.partitions_assigned([("b", 1)])

    assert {"kafka_clients_failed_total", "dead_letters_failed_total", "commits_failed_total"} <= set(
        at_start
    )
    assert {"requests_retried_overall_total", "mappers_slow_overall_total", "storms_broken_total"} <= set(
        at_start
    )
    for series in ("records_lost_total", "fetches_stalled_total", "dead_letters_written_overall_total"):
        assert metric(telemetry, f'{series}{{topic="a"}}') == 0
    assert metric(telemetry, 'records_rejected_overall_total{topic="a"}') == 0
    assert metric(telemetry, 'records_rejected_overall_total{topic="b"}') == 1


def test_every_counter_with_other_labels_has_a_total_beside_it(telemetry: Telemetry) -> None:
    for verb, _, _ in VERBS:
        verb(telemetry)
    text = telemetry.prometheus().decode()

    labelled: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^pipelines_worker_(\w+)_total\{(.*)\}", text, re.MULTILINE):
        labelled.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    for name, labels_of in labelled.items():
        if not labels_of <= {"topic", "partition"}:
            total = (
                f"{name.removesuffix('_bytes')}_overall{'_bytes' if name.endswith('_bytes') else ''}_total"
            )
            assert re.search(rf"^pipelines_worker_{total}\W", text, re.MULTILINE), name


def test_a_notice_is_counted_always_and_logged_once_a_rule_and_kind(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    for rule in ("m.yaml:3", "m.yaml:7", "m.yaml:3"):
        telemetry.calls_noticed(Notice.ID_LENGTH, rule, 2)
    telemetry.calls_noticed(Notice.RESERVED_TRAIT, "m.yaml:3")

    assert events(caplog) == ["calls_noticed"] * 3
    assert metric(telemetry, 'calls_noticed_total{kind="id_length"}') == 6
    assert metric(telemetry, "calls_noticed_overall_total") == 7


def test_rules_that_match_nothing_are_logged_once_and_shown_until_they_match(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    made_no_call = telemetry.rules_known("a", ["m.yaml:3", "m.yaml:7"])
    made_no_call("m.yaml:3")
    for _ in range(3):
        telemetry.records_consumed(500, "a")
        telemetry.records_ignored(400, "a")
        telemetry.rules_matched("a", {"m.yaml:3", None})

    assert events(caplog) == ["rule_matched_nothing"]
    assert fields(caplog) == {"rule": "m.yaml:7", "topic": "a", "records": 1000}
    status = telemetry.status()
    assert status["unmatched_rules"] == [{"rule": "m.yaml:7", "topic": "a", "records": 1500}]
    (topic,) = status["topics"]
    counts = {"topic": "a", "consumed": 1500, "ignored": 1200}
    assert topic == counts | {"ignored_share": 0.8, "ignored_by": {"m.yaml:3": 1}}
    assert metric(telemetry, 'records_ignored_share{topic="a"}') == 0.8
    assert telemetry.awaits_matches()
    telemetry.rules_matched("a", {"m.yaml:7"})
    assert telemetry.status()["unmatched_rules"] == []
    assert not telemetry.awaits_matches()


def test_a_registry_that_fails_is_logged_with_its_reason(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        telemetry.schema_registry_failed("no response: timeout")
    assert events(caplog) == ["schema_registry_failed"]
    assert fields(caplog)["reason"] == "no response: timeout"
