"""Everything the worker tells: one past-tense verb for each thing that happens.

Each verb counts (for the status page and the summary of `demo`), measures (OpenTelemetry, see `instruments`)
and, where a person should know, logs. What happens with every batch is never logged. No payload, key or
id of a person passes through here: arguments are numbers, topics, upper-case reasons, and texts of
brokers and of the API that are redacted.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from worker.telemetry.logs import Quiet, tell
from worker.telemetry.metrics import Instruments, Observation, register_gauges
from worker.telemetry.opentelemetry import Providers
from worker.telemetry.totals import Totals, count
from worker.version import __version__

if TYPE_CHECKING:
    from worker.core.records import Partition, Record
    from worker.settings import TelemetrySettings

__all__ = ["Observation", "Telemetry", "Totals"]

_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_MAX_REASONS = 200
"""Python mappers choose codes of their own: so many different ones are told apart, the rest is `OTHER`."""

_OBSERVATION_SECONDS = 1.0
"""How long an exporter's thread waits for the event loop to say how things stand."""


class Telemetry:
    """Where the worker tells what it does.

    Args:
        settings: `telemetry` of worker.yaml; None exports to nobody, and `/metrics` works all the same.
        version: of the worker, as `service.version`.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: TelemetrySettings | None = None,
        *,
        version: str = __version__,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._version = version
        self._clock = clock
        self._started_at = time.time()
        self._totals = Totals()
        self._quiet = Quiet(clock)
        self._reasons: set[str] = set()
        self._held: tuple[str, int, float] | None = None
        self._observe: Callable[[], Observation] = Observation
        self._observed = Observation()
        self._observing_thread: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._providers = Providers(settings, version)
        self._measure = Instruments(self._providers.meter)
        register_gauges(self._providers.meter, self.observation)

    # Records

    def records_consumed(self, n: int, topic: str) -> None:
        """`n` records were taken from Kafka."""
        self._totals.consumed += n
        self._measure.records_consumed.add(n, topic)

    def records_ignored(self, n: int, topic: str) -> None:
        """`n` records became no call, as the mapping wants it."""
        self._totals.ignored += n
        self._measure.records_ignored.add(n, topic)

    def record_rejected(self, stage: str, reason: str, topic: str, n: int = 1) -> None:
        """`n` records turned out to be undeliverable; their dead letters are yet to be written."""
        reason = self._bounded(reason)
        count(self._totals.rejected, reason, n)
        self._measure.records_rejected.add(n, {"stage": str(stage), "reason": reason, "topic": topic})

    def records_lost(self, topic: str, partition: int, n: int) -> None:
        """`n` offsets after the committed one no longer exist: Kafka deleted them before they were read."""
        self._totals.lost += n
        self._measure.records_lost.add(n, {"topic": topic})
        tell(
            logging.ERROR,
            "records_lost",
            "Kafka had deleted records before they were read: the worker was behind for too long",
            topic=topic,
            partition=partition,
            count=n,
        )

    def mapper_was_slow(self, name: str, seconds: float) -> None:
        """A Python mapper held up everything for longer than a second."""
        self._measure.mappers_slow.add(1, {"mapper": name})
        if n := self._quiet.count(("mapper_was_slow", name), 1):
            tell(
                logging.WARNING,
                "mapper_was_slow",
                "a Python mapper is slow and holds up everything: it must not wait for anything outside",
                mapper=name,
                seconds=round(seconds, 3),
                count=n,
            )

    # Batches and requests

    def batch_closed(self, why: str, calls: int, size: int) -> None:
        """A batch of so many calls and bytes is about to be sent; `why` is full, linger or drain."""
        count(self._totals.batches, why)
        self._measure.batch_calls.record(calls, {"why": why})
        self._measure.batch_size.record(size, {"why": why})

    def tokens_awaited(self, seconds: float) -> None:
        """A request waited for the rate limit."""
        self._totals.tokens_awaited_seconds += seconds
        self._measure.tokens_awaited.add(seconds)

    def request_span(self, records: Sequence[Record]) -> AbstractContextManager[Any]:
        """A span around one request, linked to a sample of its records' traces; free while tracing is off."""
        tracing = self._providers.tracing
        return tracing.request_span(records) if tracing else nullcontext()

    def request_finished(self, status: int, seconds: float, size: int, failure: str | None = None) -> None:
        """A request of `size` bytes was answered with `status`, or failed (status 0) as `failure` says."""
        outcome = str(status) if status else failure or "failed"
        count(self._totals.requests, outcome)
        self._totals.request_bytes += size
        self._measure.request_duration.record(seconds, {"status": outcome})
        self._measure.request_bytes.add(size, outcome)
        if self._providers.tracing:
            self._providers.tracing.request_finished(status, failure)

    def request_retried(self, reason: str) -> None:
        """A request will be sent again; `reason` is the status, or what failed."""
        count(self._totals.retries, reason)
        self._measure.requests_retried.add(1, {"reason": reason})
        self._tell_quietly("request_retried", reason, 1)

    def calls_delivered(self, n: int) -> None:
        """The API has taken `n` calls."""
        self._totals.delivered += n
        self._measure.calls_delivered.add(n)

    def freshness_measured(self, seconds: float) -> None:
        """A request was delivered so long after the Kafka timestamp of its oldest record."""
        self._totals.freshness_seconds = seconds
        self._measure.freshness.record(max(0.0, seconds))

    # Holds and storms

    def delivery_held(self, reason: str, status: int, errors: Sequence[str] = ()) -> None:
        """Nothing is delivered until what the API refuses is repaired; told once for a reason and status."""
        reason = self._bounded(reason)
        if self._held and self._held[:2] == (reason, status):
            return
        since = self._held[2] if self._held else self._clock()
        self._held = reason, status, since
        count(self._totals.holds, reason)
        self._measure.holds.add(1, {"reason": reason})
        tell(
            logging.ERROR,
            "delivery_held",
            "delivery is on hold: the API refuses every request; nothing is lost, it is tried again",
            reason=reason,
            status=status or None,
            errors=list(errors) or None,
        )

    def delivery_resumed(self) -> None:
        """The API took a batch again; told only after a hold."""
        if self._held:
            seconds = self._clock() - self._held[2]
            self._held = None
            tell(logging.INFO, "delivery_resumed", "delivery goes on", held_seconds=round(seconds, 3))

    def storm_broke(self, consecutive: int, ratio: float) -> None:
        """Too many records in a row, or too large a share, would be dead-lettered: no record's fault."""
        self._totals.storms += 1
        self._measure.storms.add(1)
        tell(
            logging.ERROR,
            "storm_broke",
            "too many records would become dead letters: delivery is on hold until the worker is restarted",
            consecutive=consecutive,
            ratio=round(ratio, 3),
        )

    # Dead letters

    def dead_letters_written(self, n: int, reason: str, topic: str) -> None:
        """The broker has acknowledged `n` dead letters; `topic` is where the records came from."""
        reason = self._bounded(reason)
        count(self._totals.dead_letters, reason, n)
        self._measure.dead_letters_written.add(n, {"reason": reason, "topic": topic})
        self._tell_quietly("dead_letters_written", reason, n)

    def dead_letters_failed(self, n: int, why: str) -> None:
        """`n` dead letters could not be written; nothing commits past them, they are tried again."""
        self._totals.dead_letters_failed += n
        self._measure.dead_letters_failed.add(n)
        self._tell_quietly("dead_letters_failed", why, n)

    # Kafka

    def partitions_assigned(self, partitions: Sequence[Partition]) -> None:
        """These partitions are ours."""
        self._partitions_changed("assigned", partitions, logging.INFO, "partitions were assigned")

    def partitions_revoked(self, partitions: Sequence[Partition]) -> None:
        """These partitions go to another member, in good order."""
        self._partitions_changed("revoked", partitions, logging.INFO, "partitions were given up")

    def partitions_lost(self, partitions: Sequence[Partition]) -> None:
        """These partitions were taken away: the group had not heard of this member in time."""
        message = "partitions were lost: another member delivers again what was not committed"
        self._partitions_changed("lost", partitions, logging.WARNING, message)

    def offsets_committed(self, n: int) -> None:
        """Kafka has taken the offsets of `n` partitions."""
        self._measure.offsets_committed.add(n)
        self._tell_overdue()

    def commit_failed(self, why: str) -> None:
        """Kafka did not take a commit; a newer one follows."""
        self._totals.commits_failed += 1
        self._measure.commits_failed.add(1)
        self._tell_quietly("commit_failed", why, 1)

    def source_failed(self, why: str) -> None:
        """The Kafka client reported an error."""
        self._measure.source_failures.add(1)
        self._tell_quietly("source_failed", why, 1)

    def kafka_client_failed(self, client: str, why: str) -> None:
        """A Kafka client (`consumer` or `producer`) is in a terminal state; another is made in its place."""
        self._measure.kafka_clients_failed.add(1)
        message = "a Kafka client failed for good: another is made in its place"
        tell(logging.ERROR, "kafka_client_failed", message, client=client, reason=why)

    def fetch_stalled(self, topic: str, partition: int) -> None:
        """Nothing was fetched of a partition that has records to read, and room; it was started again."""
        self._measure.fetches_stalled.add(1, {"topic": topic})
        message = "nothing was fetched of a partition that has records to read: it was started again"
        tell(logging.ERROR, "fetch_stalled", message, topic=topic, partition=partition)

    # The worker's life

    def worker_started(self, **facts: object) -> None:
        """Everything is wired and consuming begins; `facts` are settings worth a line in the log."""
        tell(logging.INFO, "worker_started", "the worker started", version=self._version, **facts)

    def configuration_warned(self, warning: str) -> None:
        """A setting is worth a warning at every start: `pipelines.strict` is off, ..."""
        tell(logging.WARNING, "configuration_warned", warning)

    def draining(self, reason: str) -> None:
        """Fetching has stopped; what is in hand is delivered and committed."""
        tell(logging.INFO, "draining", "draining: fetching has stopped", reason=reason)

    def worker_stopped(self, **facts: object) -> None:
        """Nothing happens any more; the log ends with what was done."""
        self._tell_overdue(everything=True)
        totals = self._totals
        tell(
            logging.INFO,
            "worker_stopped",
            "the worker stopped",
            consumed=totals.consumed,
            ignored=totals.ignored,
            delivered=totals.delivered,
            dead_letters=sum(totals.dead_letters.values()),
            **facts,
        )

    # What can be asked

    def observe(self, callback: Callable[[], Observation]) -> None:
        """Ask `callback` how things stand whenever someone wants to know; called in this thread only."""
        self._observe = callback
        self._observing_thread = threading.get_ident()
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def observation(self) -> Observation:
        """How things stand; in an exporter's thread: as the event loop sees it, or saw it when last asked."""
        if self._observing_thread in {None, threading.get_ident()}:
            self._observed = self._observe()
        elif self._loop and not self._loop.is_closed():
            self._observe_on_loop(self._loop)
        return self._observed

    def totals(self) -> Totals:
        """What happened since the process began; a copy."""
        return Totals(**asdict(self._totals))

    def status(self) -> dict[str, Any]:
        """Everything that the status page shows, as plain JSON values; freshness and ages in seconds."""
        now = self.observation()
        partitions = sorted(now.lag.keys() | now.oldest_undelivered.keys())
        return {
            "version": self._version,
            "now": time.time(),
            "started_at": self._started_at,
            "totals": asdict(self._totals),
            "in_progress": {"records": now.in_progress_records, "bytes": now.in_progress_bytes},
            "in_flight_requests": now.in_flight_requests,
            "oldest_undelivered": max(now.oldest_undelivered.values(), default=0.0),
            "hold": now.hold,
            "paused": now.paused,
            "partitions": [
                {
                    "topic": topic,
                    "partition": number,
                    "lag": now.lag.get((topic, number), 0),
                    "oldest_undelivered": now.oldest_undelivered.get((topic, number), 0.0),
                }
                for topic, number in partitions
            ],
        }

    def prometheus(self) -> bytes:
        """The metrics in Prometheus' text format 0.0.4."""
        return self._providers.prometheus()

    def shutdown(self) -> None:
        """Export what is left; waits a few seconds for a collector that does not answer. Idempotent."""
        self.observation()
        self._loop, self._observing_thread = None, -1
        self._providers.shutdown()

    def _observe_on_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the event loop observe: the callback reads state that only its thread may touch."""
        done = threading.Event()

        def observe() -> None:
            self._observed = self._observe()
            done.set()

        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(observe)
            done.wait(_OBSERVATION_SECONDS)

    def _partitions_changed(
        self, change: str, partitions: Sequence[Partition], level: int, message: str
    ) -> None:
        if partitions:
            self._measure.rebalances.add(len(partitions), {"change": change})
            by_topic: dict[str, list[int]] = {}
            for topic, number in sorted(partitions):
                by_topic.setdefault(topic, []).append(number)
            tell(level, f"partitions_{change}", message, count=len(partitions), partitions=by_topic)

    def _tell_quietly(self, event: str, reason: str, n: int) -> None:
        if told := self._quiet.count((event, reason), n):
            _tell_repeated(event, reason, told)

    def _tell_overdue(self, *, everything: bool = False) -> None:
        for (event, reason), n in self._quiet.overdue(everything=everything):
            _tell_repeated(event, reason, n)

    def _bounded(self, reason: str) -> str:
        """The reason as a label: upper-case codes, and not more than `_MAX_REASONS` different ones."""
        if reason not in self._reasons:
            if len(self._reasons) >= _MAX_REASONS or not _REASON.fullmatch(reason):
                return "OTHER"
            self._reasons.add(reason)
        return reason


_REPEATED: Mapping[str, tuple[int, str]] = {
    "request_retried": (logging.WARNING, "requests are sent again"),
    "dead_letters_written": (logging.WARNING, "records became dead letters"),
    "dead_letters_failed": (logging.ERROR, "dead letters could not be written; nothing commits past them"),
    "commit_failed": (logging.WARNING, "Kafka did not take a commit; a newer one follows"),
    "source_failed": (logging.WARNING, "the Kafka client reported an error"),
    "mapper_was_slow": (logging.WARNING, "a Python mapper is slow and holds up everything"),
}


def _tell_repeated(event: str, reason: str, n: int) -> None:
    level, message = _REPEATED[event]
    tell(level, event, message, reason=reason, count=n)
