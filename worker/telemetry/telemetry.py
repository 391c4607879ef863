"""Everything the worker reports: one past-tense verb for each thing that happens.

Each verb counts (for the status page and the summary of `demo`), measures (OpenTelemetry, see `metrics`) and, where an
operator should know, logs. Events that occur with every batch are never logged. No payload, key or id of a person
passes through here: arguments are numbers, topics, upper-case reasons, and redacted texts of brokers and the API.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from worker.core.rule_use import RuleUse
from worker.customerio.advice import CAMPAIGN_SECONDS
from worker.telemetry.history import History
from worker.telemetry.logs import LogRateLimiter, log
from worker.telemetry.metrics import Instruments, Observation, register_gauges, register_ignored_share
from worker.telemetry.notice_log import NoticeLog
from worker.telemetry.observer import Observer
from worker.telemetry.opentelemetry import Providers
from worker.telemetry.reason_labels import ReasonLabels
from worker.telemetry.repeated import log_repeated
from worker.telemetry.status import status_of
from worker.telemetry.totals import Totals, count
from worker.version import __version__

if TYPE_CHECKING:
    from worker.core.records import Partition, Record
    from worker.customerio.notices import Notice
    from worker.mapping.time_limit import Blocked
    from worker.settings import TelemetrySettings

__all__ = ["Observation", "Telemetry", "Totals"]


class Telemetry:
    """Receives everything the worker reports.

    Args:
        settings: `telemetry` of worker.yaml; without them nothing is exported, and `/metrics` still works.
        version: of the worker, as `service.version`.
        process: the number of this process, for `service.instance.id`; None for the only one.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: TelemetrySettings | None = None,
        *,
        version: str = __version__,
        process: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._version = version
        self._clock = clock
        self._started_at = time.time()
        self._totals = Totals()
        self._history = History(self._totals)
        self._rate_limiter = LogRateLimiter(clock)
        self._bounded = ReasonLabels().of
        self._notice_log = NoticeLog()
        self._held: tuple[str, int, float] | None = None
        self._observer = Observer()
        self._providers = Providers(settings, version, process)
        self._measure = Instruments(self._providers.meter)
        self._rule_use = RuleUse()
        register_gauges(self._providers.meter, self._observer.current)
        register_ignored_share(self._providers.meter, self._rule_use.topics)

    # Records

    def records_consumed(self, n: int, topic: str) -> None:
        """`n` records were taken from Kafka."""
        self._totals.consumed += n
        self._rule_use.topic(topic).consumed += n
        self._measure.records_consumed.add(n, topic)

    def records_ignored(self, n: int, topic: str) -> None:
        """The mapping ignored `n` records."""
        self._totals.ignored += n
        self._rule_use.ignored(topic, n)
        self._measure.records_ignored.add(n, topic)

    def record_rejected(self, stage: str, reason: str, topic: str, n: int = 1) -> None:
        """`n` records can never be delivered; their dead letters are not written yet."""
        reason = self._bounded(reason)
        count(self._totals.rejected, reason, n)
        self._measure.records_rejected.add(n, {"stage": str(stage), "reason": reason, "topic": topic})

    def rules_known(self, topic: str, rules: Sequence[str]) -> Callable[[str], None]:
        """These rules of a topic have a `when`. Returns what is called with one that made no call of a record."""
        return self._rule_use.know(topic, rules)

    def awaits_matches(self) -> bool:
        """Whether some rule has matched nothing yet, so that `rules_matched` is to be called."""
        return self._rule_use.awaits()

    def rules_matched(self, topic: str, rules: Iterable[str | None]) -> None:
        """These rules matched records of the topic. Logs, once, each of its rules that has matched none of many."""
        self._rule_use.matched(rules)
        for rule in self._rule_use.newly_unmatched(topic):
            message = "the `when` of this rule has matched none of the topic's records"
            records = self._rule_use.topic(topic).consumed
            log(logging.WARNING, "rule_matched_nothing", message, rule=rule, topic=topic, records=records)

    def records_lost(self, topic: str, partition: int, n: int) -> None:
        """`n` offsets after the committed one no longer exist: Kafka deleted them before they were read."""
        self._totals.lost += n
        self._measure.records_lost.add(n, topic)
        message = "Kafka deleted records before they were read: the worker lagged behind for too long"
        log(logging.ERROR, "records_lost", message, topic=topic, partition=partition, count=n)

    def partition_restarted(self, topic: str, partition: int) -> None:
        """The partition's log is not the one whose offset was committed: it is read from its beginning."""
        self._measure.partitions_restarted.add(1, topic)
        message = (
            "the topic was recreated, or its log was truncated: reading the partition from its beginning"
        )
        log(logging.ERROR, "partition_restarted", message, topic=topic, partition=partition)

    def calls_noticed(self, kind: Notice, rule: str, n: int = 1) -> None:
        """`n` calls of a rule may not have the effect that was meant. Logs it once a rule and kind."""
        self._measure.calls_noticed.add(n, {"kind": kind})
        self._notice_log.once(kind, rule)

    def mapper_was_slow(self, name: str, seconds: float) -> None:
        """A Python mapper blocked the worker for longer than a second."""
        self._measure.mappers_slow.add(1, {"mapper": name})
        if n := self._rate_limiter.count(("mapper_was_slow", name), 1):
            log(
                logging.WARNING,
                "mapper_was_slow",
                "a Python mapper is slow and blocks the worker: mappers must not do I/O",
                mapper=name,
                seconds=round(seconds, 3),
                count=n,
            )

    def mapping_blocked(self, blocked: Blocked) -> None:
        """One mapping has blocked the event loop for long. Called by the thread that watches mappings."""
        record = blocked.record
        log(
            logging.WARNING,
            "mapping_blocked",
            "mapping this record is slow and blocks everything else",
            mapper=blocked.mapper,
            topic=record.topic(),
            partition=record.partition(),
            offset=record.offset(),
            at=blocked.place,
            seconds=round(blocked.seconds, 3),
        )

    def mapping_interrupted(
        self, topic: str, partition: int, offset: int, blocked: Blocked | None, times: int
    ) -> None:
        """A mapping took longer than `limits.mapping_timeout`; the second time its record is rejected."""
        self._rule_use.interrupted(topic)
        log(
            logging.WARNING,
            "mapping_interrupted",
            "mapping this record took longer than limits.mapping_timeout: "
            + ("it becomes a dead letter" if times > 1 else "it is tried once more, alone"),
            mapper=blocked.mapper if blocked else None,
            topic=topic,
            partition=partition,
            offset=offset,
            at=blocked.place if blocked else None,
        )

    # Batches and requests

    def batch_closed(self, why: str, calls: int, size: int) -> None:
        """A batch of this many calls and bytes is about to be sent; `why` is full, linger or drain."""
        count(self._totals.batches, why)
        self._measure.batch_calls.record(calls, {"why": why})
        self._measure.batch_size.record(size, {"why": why})

    def tokens_awaited(self, seconds: float) -> None:
        """A request waited for the rate limit."""
        self._totals.tokens_awaited_seconds += seconds
        self._measure.tokens_awaited.add(seconds)

    def request_span(self, records: Sequence[Record], calls: int) -> AbstractContextManager[Any]:
        """A span around one request of `calls`, linked to the traces of some of its records; free without tracing."""
        tracing = self._providers.tracing
        return tracing.request_span(records, calls) if tracing else nullcontext()

    def request_finished(self, status: int, seconds: float, size: int, failure: str | None = None) -> None:
        """A request of `size` bytes got `status`, or no response (status 0) because of `failure`."""
        outcome = str(status) if status else failure or "failed"
        count(self._totals.requests, outcome)
        self._totals.request_bytes += size
        if status:
            self._history.request_answered(seconds)
        self._measure.request_duration.record(seconds, {"status": outcome})
        self._measure.request_bytes.add(size, {"status": outcome})
        self._measure.requests_finished.add(1)
        if self._providers.tracing:
            self._providers.tracing.request_finished(status, failure)

    def request_retried(self, reason: str) -> None:
        """A request will be sent again; `reason` is the status, or what failed."""
        count(self._totals.retries, reason)
        self._measure.requests_retried.add(1, {"reason": reason})
        self._log_rate_limited("request_retried", reason, 1)

    def calls_delivered(self, n: int) -> None:
        """The API accepted `n` calls."""
        self._totals.delivered += n
        self._measure.calls_delivered.add(n)

    def freshness_measured(self, seconds: float) -> None:
        """A request was accepted this many seconds after the Kafka timestamp of its oldest record."""
        self._totals.freshness_seconds = seconds
        self._history.delivered_after(seconds)
        self._measure.freshness.record(max(0.0, seconds))
        self._measure.requests_too_late.add(seconds > CAMPAIGN_SECONDS)

    # Holds and storms

    def delivery_held(self, reason: str, status: int, errors: Sequence[str] = ()) -> None:
        """Delivery is on hold; logged once for a reason and status."""
        reason = self._bounded(reason)
        if self._held and self._held[:2] == (reason, status):
            return
        since = self._held[2] if self._held else self._clock()
        self._held = reason, status, since
        count(self._totals.holds, reason)
        self._measure.holds.add(1, {"reason": reason})
        log(
            logging.ERROR,
            "delivery_held",
            "delivery is on hold: the API refuses every request; nothing is lost, probes continue",
            reason=reason,
            status=status or None,
            errors=list(errors) or None,
        )

    def delivery_resumed(self) -> None:
        """The API accepted a batch; logged only after a hold."""
        if self._held:
            seconds = self._clock() - self._held[2]
            self._held = None
            log(logging.INFO, "delivery_resumed", "delivery resumed", held_seconds=round(seconds, 3))

    def storm_broke(self, consecutive: int, ratio: float) -> None:
        """Too many records in a row, or too large a share, failed: the records are unlikely to be the cause."""
        self._totals.storms += 1
        self._measure.storms.add(1)
        log(
            logging.ERROR,
            "storm_broke",
            "too many records would become dead letters: delivery is on hold until the worker is restarted",
            consecutive=consecutive,
            ratio=round(ratio, 3),
        )

    # Dead letters

    def dead_letters_written(self, n: int, reason: str, topic: str) -> None:
        """The broker acknowledged `n` dead letters; `topic` is where the records came from."""
        reason = self._bounded(reason)
        count(self._totals.dead_letters, reason, n)
        self._measure.dead_letters_written.add(n, {"reason": reason, "topic": topic})
        self._log_rate_limited("dead_letters_written", reason, n)

    def dead_letters_failed(self, n: int, why: str) -> None:
        """`n` dead letters could not be written; nothing commits past them, and they are retried."""
        self._totals.dead_letters_failed += n
        self._measure.dead_letters_failed.add(n)
        self._log_rate_limited("dead_letters_failed", why, n)

    # Kafka

    def partitions_assigned(self, partitions: Sequence[Partition]) -> None:
        """This member owns these partitions now."""
        self._measure.start_topics({topic for topic, _ in partitions})
        self._partitions_changed("assigned", partitions, logging.INFO, "partitions were assigned")

    def partitions_revoked(self, partitions: Sequence[Partition]) -> None:
        """These partitions go to another member; what was finished is committed."""
        self._partitions_changed("revoked", partitions, logging.INFO, "partitions were revoked")

    def partitions_lost(self, partitions: Sequence[Partition]) -> None:
        """The group removed this member, whose heartbeats or polls came too late, and these partitions with it."""
        message = "partitions were lost: their new owner re-sends what was not committed"
        self._partitions_changed("lost", partitions, logging.WARNING, message)

    def offsets_committed(self, n: int) -> None:
        """Kafka committed the offsets of `n` partitions."""
        self._measure.offsets_committed.add(n)
        self._log_overdue()

    def commit_failed(self, why: str) -> None:
        """A commit failed; a newer one follows."""
        self._totals.commits_failed += 1
        self._measure.commits_failed.add(1)
        self._log_rate_limited("commit_failed", why, 1)

    def source_failed(self, why: str) -> None:
        """The Kafka client reported an error."""
        self._measure.source_failures.add(1)
        self._log_rate_limited("source_failed", why, 1)

    def schema_registry_failed(self, why: str) -> None:
        """A schema could not be fetched; the records that need it wait."""
        self._log_rate_limited("schema_registry_failed", why, 1)

    def kafka_client_failed(self, client: str, why: str) -> None:
        """A Kafka client (`consumer` or `producer`) is in a terminal state; it is replaced by a new one."""
        self._measure.kafka_clients_failed.add(1)
        message = "a Kafka client failed permanently: it is replaced by a new one"
        log(logging.ERROR, "kafka_client_failed", message, client=client, reason=why)

    def fetch_stalled(self, topic: str, partition: int) -> None:
        """Nothing was fetched from a partition that has records to read and is not paused; its fetch was restarted."""
        self._measure.fetches_stalled.add(1, topic)
        message = "nothing was fetched from a partition that has records to read: its fetch was restarted"
        log(logging.ERROR, "fetch_stalled", message, topic=topic, partition=partition)

    # The worker's life

    def worker_started(self, **facts: object) -> None:
        """The worker is about to consume; `facts` are settings worth logging."""
        log(logging.INFO, "worker_started", "the worker started", version=self._version, **facts)

    def configuration_warned(self, warning: str) -> None:
        """A setting deserves a warning at every start: `pipelines.strict` is off, ..."""
        log(logging.WARNING, "configuration_warned", warning)

    def draining(self, reason: str) -> None:
        """Fetching has stopped; what was fetched is being delivered and committed."""
        log(logging.INFO, "draining", "draining: fetching has stopped", reason=reason)

    def worker_stopped(self, **facts: object) -> None:
        """The worker has stopped; the log ends with its totals."""
        self._log_overdue(everything=True)
        totals = self._totals
        log(
            logging.INFO,
            "worker_stopped",
            "the worker stopped",
            consumed=totals.consumed,
            ignored=totals.ignored,
            delivered=totals.delivered,
            dead_letters=sum(totals.dead_letters.values()),
            **facts,
        )

    # State

    def observe(self, callback: Callable[[], Observation]) -> None:
        """Take the current state from `callback`, which is called in this thread only."""
        self._observer.observe(callback)

    def totals(self) -> Totals:
        """Everything counted since the process started; a copy."""
        return Totals(**asdict(self._totals))

    def sample(self) -> None:
        """Keep the status page's history; called about once a second in the thread that `observe` was called in."""
        self._history.sample(self._observer.current)

    def status(self) -> dict[str, Any]:
        """What the status page shows, as plain JSON values."""
        now = self._observer.current()
        status = status_of(self._version, self._started_at, self._totals, self._rule_use, now)
        return {**status, "history": self._history.view(now)}

    def prometheus(self) -> bytes:
        """The metrics in Prometheus' text format 0.0.4."""
        return self._providers.prometheus()

    def shutdown(self) -> None:
        """Export what is left; waits a few seconds for a collector that does not respond. Idempotent."""
        self._observer.stop()
        self._providers.shutdown()

    def _partitions_changed(
        self, change: str, partitions: Sequence[Partition], level: int, message: str
    ) -> None:
        if partitions:
            self._measure.rebalances.add(len(partitions), {"change": change})
            by_topic: dict[str, list[int]] = {}
            for topic, number in sorted(partitions):
                by_topic.setdefault(topic, []).append(number)
            log(level, f"partitions_{change}", message, count=len(partitions), partitions=by_topic)

    def _log_rate_limited(self, event: str, reason: str, n: int) -> None:
        if due := self._rate_limiter.count((event, reason), n):
            log_repeated(event, reason, due)

    def _log_overdue(self, *, everything: bool = False) -> None:
        for (event, reason), n in self._rate_limiter.overdue(everything=everything):
            log_repeated(event, reason, n)
