"""The path of a record.

Records are fetched and accepted, each becomes calls by its topic's mapping, the calls wait in lanes, a batch of them is
taken when a request may be sent, and a partition's offset is committed once everything below it is delivered,
dead-lettered or ignored. Five loops do that, each at its own pace:

- `_consume`: fetch → map → lanes, in slices, without an await for each record;
- `_dispatch`: lanes → a batch → `Delivery`;
- `DeadLetterWriter.run`: rejected records → the dead-letter topic;
- `_commit`: finished offsets → Kafka;
- `StandstillGuard.run`: after the process was suspended, sends nothing until Kafka confirms the partitions.

Back-pressure: with too much in progress nothing is fetched (polling goes on), and with enough requests in flight no
batch is taken. Nothing is ever dropped.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from worker.core.lanes import Batch, Lanes
from worker.core.record_reading import record_millis
from worker.core.records import Converter
from worker.core.retry import CircuitBreaker
from worker.core.storm import StormBreaker
from worker.mapping.time_limit import Blocked, TimeLimit
from worker.pipeline.cancelling import cancel
from worker.pipeline.caught_up import CaughtUp
from worker.pipeline.committing import FAILING, Committer
from worker.pipeline.dead_lettering import STORM, DeadLetterWriter
from worker.pipeline.delivery import Delivery
from worker.pipeline.group_limit import make_limit
from worker.pipeline.intake import Intake
from worker.pipeline.ports import DeadLetters, Destination, Response, Source
from worker.pipeline.rebalances import Rebalances
from worker.pipeline.schema_fetching import SchemaFetcher
from worker.pipeline.send_permit import SendPermit
from worker.pipeline.standstill import UNCONFIRMED, StandstillGuard
from worker.pipeline.waiting_records import WaitingRecords
from worker.pipeline.wakeup import Wakeup
from worker.telemetry.telemetry import Observation

if TYPE_CHECKING:
    from worker.settings import Settings
    from worker.telemetry.telemetry import Telemetry


class Pipeline:
    """The path of a record. Implements `delivery.Outcomes` for the delivery.

    Args:
        source: where records come from.
        destination: where calls go.
        dead_letters: where records that can never be delivered are kept.
        converter: compiles a topic's mapping, without blocking the loop.
        settings: worker.yaml.
        telemetry: notified of everything that happens.
        schemas: fetches the schemas that records need; None where no mapping needs a registry.
        rng: draws from [0, 1), for jitter.
        clock: epoch seconds, for ages and the time of dead letters.
        stopwatch: seconds, for what mapping costs.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all collaborators meet here
        self,
        source: Source,
        destination: Destination,
        dead_letters: DeadLetters,
        converter: Callable[[str], Awaitable[Converter]],
        settings: Settings,
        telemetry: Telemetry,
        *,
        schemas: SchemaFetcher | None = None,
        rng: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._source = source
        self._settings = settings
        self._telemetry = telemetry
        self._clock = clock
        self._lanes = Lanes(
            max_bytes=settings.batch.max_bytes,
            max_calls=settings.batch.max_calls,
            linger=settings.batch.linger,
            max_in_flight=settings.delivery.max_requests_in_flight,
        )
        self._permit = SendPermit()
        self._progress = Wakeup()
        self._breaker = CircuitBreaker(settings.delivery.retry_initial, settings.delivery.retry_max)
        self._standstill = StandstillGuard(source, self._permit, clock)
        self._limit = make_limit(settings, source)
        self._delivery = Delivery(
            destination,
            self._lanes,
            settings,
            telemetry,
            self,
            limit=self._limit,
            permit=self._permit,
            breaker=self._breaker,
            progress=self._progress,
            rng=rng,
            before_sending=self._standstill.notice,
        )
        self._storm = StormBreaker(
            consecutive=settings.dead_letters.halt_after_consecutive,
            ratio=settings.dead_letters.halt_above_ratio,
            window=settings.dead_letters.window,
        )
        self._dead_lettering = DeadLetterWriter(
            dead_letters,
            telemetry,
            storm=self._storm,
            permit=self._permit,
            breaker=self._breaker,
            progress=self._progress,
            clock=clock,
        )
        self._time_limit = TimeLimit(settings.limits.mapping_timeout, telemetry.mapping_blocked)
        self._schemas = schemas
        self._intake = Intake(
            self._lanes,
            self._dead_lettering,
            self._storm,
            telemetry,
            converter,
            self._time_limit,
            queued=self._notify_lanes,
            waiting=None if schemas is None else WaitingRecords(schemas),
            stopwatch=stopwatch,
        )
        self._committer = Committer(source, self._lanes, self._permit)
        self._ends = CaughtUp()
        self._rebalances = Rebalances(
            self._lanes,
            self._ends,
            self._committer,
            self._delivery,
            self._dead_lettering,
            limit=self._limit,
            progress=self._progress,
            request_timeout=settings.pipelines.timeout,
        )
        self._draining = False
        self._lanes_changed = Wakeup()
        self._fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stop_asked = asyncio.Event()
        self._halted = asyncio.Event()
        self._caught_up = asyncio.Event()

    # Running

    async def run(self, *, until_caught_up: bool = False) -> bool:
        """Work until `stop`, or until caught up. True if all records in progress were finished and committed.

        Raises:
            SourceFailed: the source can never work as it is configured.
        """
        with self._time_limit:
            return not await self._open() or await self._work(until_caught_up=until_caught_up)

    async def _work(self, *, until_caught_up: bool) -> bool:
        loops = [
            asyncio.create_task(loop)
            for loop in (
                self._consume(),
                self._dispatch(),
                self._dead_lettering.run(),
                self._commit(),
                self._standstill.run(),
                self._limit.run(self._delivery.limit_changed),
                *([self._schemas.run()] if self._schemas is not None else []),
            )
        ]
        reasons = [self._stop_asked, *([self._caught_up, self._halted] if until_caught_up else [])]
        waits = [asyncio.create_task(reason.wait()) for reason in reasons]
        try:
            ends: list[asyncio.Future[Any]] = [*loops, *waits, self._fault]
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()  # loops never return: for a loop this raises its exception
            drained = not (until_caught_up and self._halted.is_set()) and await self._drain()
        finally:
            # Closing the source revokes all partitions, which waits for requests in flight: these are cancelled first.
            late = self._limit.late_seconds if self._delivery.on_wire else 0.0
            await cancel([*waits, *loops, *self._intake.tasks, *self._delivery.in_hand])
            await asyncio.sleep(late)
            await self._source.close()
        # Records that were finished in partitions lost during the drain could not be committed.
        return drained and not self._held() and not self._rebalances.lost_any

    async def _open(self) -> bool:
        """Open the source; False if `stop` came first, while no broker answered."""
        opening = asyncio.create_task(self._source.open(self._rebalances))
        stopping = asyncio.create_task(self._stop_asked.wait())
        await asyncio.wait([opening, stopping], return_when=asyncio.FIRST_COMPLETED)
        await cancel([stopping])
        if opening.done():
            opening.result()
            return True
        await cancel([opening])
        await self._source.close()
        return False

    def stop(self, reason: str) -> None:
        """Stop fetching, deliver and commit what is in progress, and leave the group."""
        self._telemetry.draining(reason)
        self._stop_asked.set()

    async def _drain(self) -> bool:
        """Deliver and commit what is in progress within `shutdown_timeout`; True if everything was."""
        self._draining = True
        self._rebalances.lost_any = False
        self._intake.stop()
        self._lanes_changed.notify()
        try:
            async with asyncio.timeout(self._settings.delivery.shutdown_timeout):
                while not self._is_idle():
                    await self._progress.wait()
                while not await self._committer.attempt():
                    await self._committer.wait()
        except TimeoutError:
            return False
        return True

    def _is_idle(self) -> bool:
        return self._dead_lettering.is_idle and (self._lanes.is_idle() or self._storm.broken)

    # Fetching and mapping

    async def _consume(self) -> None:
        while True:
            fetched = await self._source.fetch(self._fetch_limit())
            self._ends.fetched(fetched)
            await self._intake.accept(fetched)
            self._commit_early_if_crowded()

    def _fetch_limit(self) -> int:
        """How many records may be fetched; the source polls even with 0."""
        if self._draining or self._storm.broken:
            return 0
        return self._intake.fetch_limit(*self._room())

    def _room(self) -> tuple[int, int]:
        """How many more records and bytes may be in progress; below 0 if records were larger than expected."""
        memory, in_progress = self._settings.memory, self._lanes.in_progress
        return (
            memory.max_records_in_progress - in_progress.records,
            memory.max_bytes - in_progress.size,
        )

    def _notify_lanes(self) -> None:
        self._lanes_changed.notify()

    # Delivering

    async def _dispatch(self) -> None:
        while True:
            await self._delivery.wait_for_turn()
            batch = await self._take()
            self._telemetry.batch_closed(batch.why, batch.count, len(batch.body()))
            self._delivery.start(batch).add_done_callback(self._delivery_ended)
            # Its request begins before the next batch is taken, which may take milliseconds.
            await asyncio.sleep(0)

    async def _take(self) -> Batch:
        """The next batch, as soon as one is due."""
        while True:
            batch = self._lanes.take(self._now(), draining=self._draining)
            if batch is not None:
                return batch
            due = self._lanes.next_due()
            await self._lanes_changed.wait(None if due is None else due - self._now())

    def _delivery_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()) and not self._fault.done():
            self._fault.set_exception(fault)

    def delivered(self, batch: Batch) -> None:
        """See `delivery.Outcomes`."""
        self._telemetry.calls_delivered(batch.count)
        times = [millis for each in batch.heads() if (millis := record_millis(each)) is not None]
        if times:
            self._telemetry.freshness_measured(max(0.0, self._clock() - min(times) / 1000))
        self._storm.delivered(batch.count)
        self._lanes_changed.notify()
        self._commit_early_if_crowded()

    def refused(self, batch: Batch, response: Response, attempts: int) -> None:
        """See `delivery.Outcomes`."""
        self._dead_lettering.refuse(batch, response, attempts)
        self._lanes_changed.notify()

    # Committing

    async def _commit(self) -> None:
        while True:
            await self._committer.attempt()
            self._notice_the_end()
            await self._committer.wait()

    def _commit_early_if_crowded(self) -> None:
        """Commit now if fetching would soon stop, because only a commit frees what was fetched."""
        records, size = self._room()
        # Already at half the limit, so that fetching continues during the commit's round trip.
        if size <= 0 or 2 * records < self._settings.memory.max_records_in_progress:
            self._committer.hurry()

    def _notice_the_end(self) -> None:
        """For `--until-caught-up`: notice that the worker has caught up, or that it cannot."""
        refused = self._schemas is not None and self._schemas.is_unauthorized
        if refused or self._breaker.hold or (self._storm.broken and self._dead_lettering.is_idle):
            self._halted.set()
        if (
            self._rebalances.joined
            and self._source.is_complete
            and self._ends.holds(self._lanes.partitions.values())
        ):
            self._caught_up.set()

    # State

    def _held(self) -> str | None:
        return STORM if self._storm.broken else self._breaker.hold

    def problems(self) -> list[dict[str, str]]:
        """Why the worker is not ready, for `/readyz`; empty if it is."""
        reasons = []
        if held := self._held():
            reasons.append({"reason": held, "detail": "nothing is delivered until this is repaired"})
        if self._dead_lettering.failure:
            reasons.append({"reason": "DEAD_LETTERS_REFUSED", "detail": self._dead_lettering.failure})
        reasons += self._schemas.problems() if self._schemas is not None else []
        if self._committer.failing_since is not None:
            reasons.append({"reason": FAILING, "detail": "Kafka rejects commits"})
        if unconfirmed := self._standstill.problem() or self._limit.problem():
            reasons.append({"reason": UNCONFIRMED, "detail": unconfirmed})
        return reasons

    def observation(self) -> Observation:
        """The current state, for gauges and the status page."""
        states = self._lanes.partitions
        now = self._clock()
        waiting, waiting_size = self._intake.waiting()
        oldest = {partition: state.offsets.oldest_undelivered() for partition, state in states.items()}
        return Observation(
            in_progress_records=waiting + self._lanes.in_progress.records,
            in_progress_bytes=waiting_size + self._lanes.in_progress.size,
            in_flight_requests=len(self._delivery.on_wire),
            rate_limit_share=self._limit.requests,
            oldest_undelivered={
                partition: max(0.0, now - millis / 1000)
                for partition, record in oldest.items()
                if record is not None and (millis := record_millis(record)) is not None
            },
            hold=self._held(),
            paused=self._draining or self._storm.broken or min(self._room()) <= 0,
        )

    @property
    def blocked(self) -> Blocked | None:
        """The mapping that blocks the event loop now, if any; may be read from any thread."""
        return self._time_limit.blocked

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
