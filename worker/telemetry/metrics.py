"""Every metric: its OpenTelemetry instrument, name, unit and meaning.

The name `pipelines_worker.records.consumed` is `pipelines_worker_records_consumed_total` in Prometheus.
An `add` or `record` costs 3 to 6 µs, and five times that with cold caches. So each happens once a batch, a slice or a
request, never once a record, and counts without labels, or by topic only, are a `Tally`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry.metrics import CallbackOptions, Histogram, Meter
from opentelemetry.metrics import Observation as Point

from worker.telemetry.counters import PREFIX, Tally, TotalledCounter

if TYPE_CHECKING:
    from worker.core.records import Partition
    from worker.core.rule_use import TopicUse

MakeHistogram = Callable[..., Histogram]

FRESHNESS_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)
"""From below the default linger to a backlog of a day."""

DURATION_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)
"""Up to the default timeout of 15 s, and twice that."""

BATCH_BYTES = (1_000, 4_000, 16_000, 32_000, 64_000, 128_000, 256_000, 400_000, 475_000, 500_000)
"""Up to the default `batch.max_bytes` and the API's limit."""

BATCH_CALLS = (1, 5, 10, 50, 100, 250, 500, 1_000, 1_500, 2_000)
"""Up to the default `batch.max_calls`."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The state at one moment, for gauges and the status page.

    Attributes:
        in_progress_records: fetched and not finished.
        in_progress_bytes: of their encoded calls and records.
        in_flight_requests: sent, without a response yet.
        rate_limit_share: the requests that this process may send in any `rate_limit.per`.
        lag: for each assigned partition, how many offsets of it are not finished (end - committable).
        oldest_undelivered: for each partition that has any, the age of its oldest unfinished record, seconds.
        hold: why nothing is delivered, an upper-case code; None while delivery goes on.
        paused: whether fetching waits because enough is in progress.
    """

    in_progress_records: int = 0
    in_progress_bytes: int = 0
    in_flight_requests: int = 0
    rate_limit_share: float = 0.0
    lag: Mapping[Partition, int] = field(default_factory=dict)
    oldest_undelivered: Mapping[Partition, float] = field(default_factory=dict)
    hold: str | None = None
    paused: bool = False


class Instruments:
    """Every counter and histogram. Labels are bounded: topics, upper-case reasons, HTTP statuses.

    Prometheus' `increase()` sees a series' first event only if the series existed before. So a counter without labels
    is exported as 0 from the start, and a counter by topic from the topic's first assignment (both are a `Tally`). A
    counter with other labels has a separate total that exists before its first event (`TotalledCounter`).
    """

    def __init__(self, meter: Meter) -> None:
        self._make_for_records(meter)
        self._make_for_calls(meter)
        self._make_for_batches(meter.create_histogram)
        self._make_for_requests(meter, meter.create_histogram)
        self._make_for_failures(meter)
        self._make_for_kafka(meter)

    def start_topics(self, topics: Iterable[str]) -> None:
        """Export every counter of these topics, also those that are 0."""
        counters = [each for each in vars(self).values() if isinstance(each, Tally | TotalledCounter)]
        for topic in topics:
            for counter in counters:
                counter.start(topic)

    def _make_for_records(self, meter: Meter) -> None:
        self.records_consumed = Tally(
            meter, "records.consumed", "{record}", "Records taken from Kafka, by topic.", "topic"
        )
        self.records_ignored = Tally(
            meter,
            "records.ignored",
            "{record}",
            "Records that no rule matched or that became no call, by topic.",
            "topic",
        )
        self.records_rejected = TotalledCounter(
            meter,
            "records.rejected",
            "{record}",
            "Records that can never be delivered, by stage, reason and topic.",
            total_by="topic",
        )
        self.records_lost = Tally(
            meter,
            "records.lost",
            "{record}",
            "Offsets that Kafka had deleted before the worker read them, by topic.",
            "topic",
        )
        self.partitions_restarted = Tally(
            meter,
            "partitions.restarted",
            "{partition}",
            "Partitions read from their beginning because the topic was recreated or its log truncated, by topic.",
            "topic",
        )

    def _make_for_calls(self, meter: Meter) -> None:
        self.calls_delivered = Tally(
            meter, "calls.delivered", "{call}", "Calls that the API accepted with 2xx."
        )
        self.calls_noticed = TotalledCounter(
            meter,
            "calls.noticed",
            "{call}",
            "Calls that may not have the intended effect, by kind: a future time, a long id, ...",
        )
        self.requests_too_late = Tally(
            meter,
            "requests.too_late",
            "{request}",
            "Accepted requests with a record over 72 hours old: such events start no campaign at Customer.io.",
        )

    def _make_for_batches(self, histogram: MakeHistogram) -> None:
        self.batch_calls = histogram(
            f"{PREFIX}.batch.calls",
            "{call}",
            "Calls in a batch when it was closed, by why it was (full, linger, drain).",
            explicit_bucket_boundaries_advisory=BATCH_CALLS,
        )
        self.batch_size = histogram(
            f"{PREFIX}.batch.size",
            "By",
            "Bytes of a batch when it was closed, by why it was.",
            explicit_bucket_boundaries_advisory=BATCH_BYTES,
        )

    def _make_for_requests(self, meter: Meter, histogram: MakeHistogram) -> None:
        self.request_duration = histogram(
            f"{PREFIX}.request.duration",
            "s",
            "Time of a request to the API, by status: the HTTP one, or what failed (timeout, ...).",
            explicit_bucket_boundaries_advisory=DURATION_SECONDS,
        )
        self.requests_finished = Tally(
            meter, "requests.finished", "{request}", "Requests that got a response or failed."
        )
        self.request_bytes = TotalledCounter(
            meter, "request.sent", "By", "Bytes of request bodies, retries included, by status."
        )
        self.requests_retried = TotalledCounter(
            meter, "requests.retried", "{request}", "Requests that will be sent again, by reason."
        )
        self.tokens_awaited = Tally(
            meter, "rate_limit.awaited", "s", "Time that requests waited for the rate limit."
        )
        self.freshness = histogram(
            f"{PREFIX}.freshness",
            "s",
            "From the Kafka timestamp of a request's oldest record to its 2xx.",
            explicit_bucket_boundaries_advisory=FRESHNESS_SECONDS,
        )

    def _make_for_failures(self, meter: Meter) -> None:
        self.holds = TotalledCounter(meter, "delivery.held", "{hold}", "Holds that began, by reason.")
        self.storms = Tally(meter, "storms.broken", "{storm}", "Times that the storm breaker tripped.")
        self.dead_letters_written = TotalledCounter(
            meter,
            "dead_letters.written",
            "{record}",
            "Dead letters that the broker acknowledged, by reason and topic.",
            total_by="topic",
        )
        self.dead_letters_failed = Tally(
            meter,
            "dead_letters.failed",
            "{record}",
            "Dead letters that could not be written and are retried.",
        )
        self.mappers_slow = TotalledCounter(
            meter,
            "mappers.slow",
            "{call}",
            "Calls of a Python mapper that took longer than a second, by mapper.",
        )

    def _make_for_kafka(self, meter: Meter) -> None:
        self.rebalances = TotalledCounter(
            meter, "partitions.changed", "{partition}", "Partitions assigned, revoked and lost, by change."
        )
        self.offsets_committed = Tally(
            meter,
            "offsets.committed",
            "{partition}",
            "Committed offsets, one for each partition and commit.",
        )
        self.commits_failed = Tally(meter, "commits.failed", "{commit}", "Commits that failed.")
        self.source_failures = Tally(
            meter, "source.failed", "{failure}", "Errors that the Kafka client reported."
        )
        self.kafka_clients_failed = Tally(
            meter,
            "kafka_clients.failed",
            "{client}",
            "Kafka clients that failed permanently and were replaced.",
        )
        self.fetches_stalled = Tally(
            meter,
            "fetches.stalled",
            "{partition}",
            "Partitions whose fetch was restarted because nothing was fetched from them, by topic.",
            "topic",
        )


_GAUGES: tuple[tuple[str, str, str, Callable[[Observation], Iterable[Point]]], ...] = (
    (
        "in_progress.records",
        "{record}",
        "Records fetched and not finished.",
        lambda now: [Point(now.in_progress_records)],
    ),
    (
        "in_progress.size",
        "By",
        "Bytes of the encoded calls and records in progress.",
        lambda now: [Point(now.in_progress_bytes)],
    ),
    (
        "in_flight.requests",
        "{request}",
        "Requests sent, without a response yet.",
        lambda now: [Point(now.in_flight_requests)],
    ),
    (
        "rate_limit.share",
        "{request}",
        "Requests that this process may send in any rate_limit.per: its share of the group's, or all of them.",
        lambda now: [Point(now.rate_limit_share)],
    ),
    (
        "partition.lag",
        "{record}",
        "Records of a partition that are not finished.",
        lambda now: _by_partition(now.lag),
    ),
    (
        "partition.oldest_undelivered",
        "s",
        "Age of a partition's oldest unfinished record.",
        lambda now: _by_partition(now.oldest_undelivered),
    ),
    (
        "on_hold",
        "1",
        "1 while nothing is delivered, by reason.",
        lambda now: [Point(1, {"reason": now.hold})] if now.hold else [Point(0, {"reason": ""})],
    ),
    (
        "paused",
        "1",
        "1 while fetching waits because enough is in progress.",
        lambda now: [Point(int(now.paused))],
    ),
)
"""Each gauge: its name, unit and meaning, and how it is read from the current state."""


def register_gauges(meter: Meter, observe: Callable[[], Observation]) -> None:
    """Measure the current state at each export; each gauge calls `observe`."""
    for name, unit, meaning, read in _GAUGES:
        callback = partial(_read, read, observe)
        meter.create_observable_gauge(f"{PREFIX}.{name}", [callback], unit, meaning)


def _read(
    read: Callable[[Observation], Iterable[Point]], observe: Callable[[], Observation], _: CallbackOptions
) -> Iterable[Point]:
    return read(observe())


def register_ignored_share(meter: Meter, topics: Mapping[str, TopicUse]) -> None:
    """Measure at each export which share of each topic's records was ignored."""

    def callback(_: CallbackOptions) -> Iterable[Point]:
        return [Point(use.ignored_share, {"topic": topic}) for topic, use in list(topics.items())]

    meaning = "Share of a topic's records, from 0 to 1, that was ignored since the process started."
    meter.create_observable_gauge(f"{PREFIX}.records.ignored_share", [callback], "", meaning)


def _by_partition(values: Mapping[Partition, float]) -> list[Point]:
    return [
        Point(value, {"topic": topic, "partition": str(number)})
        for (topic, number), value in list(values.items())
    ]
