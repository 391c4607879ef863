"""The road of a record.

Records are fetched and taken in, each becomes calls by its topic's mapping, the calls wait in lanes, a batch of them
is taken when a request may be sent, and a partition's offset is committed once everything below it is delivered,
dead-lettered or ignored. Four loops walk that road at their own pace:

- `_consume`: fetch → map → lanes, in slices, without an await for a record;
- `_dispatch`: lanes → a batch → `Delivery`;
- `Burial.run`: rejected records → the dead-letter topic;
- `_commit`: finished offsets → Kafka.

Each stops for what is behind it: too much in progress stops fetching (polling goes on), a full house of requests
stops taking, and nothing is ever dropped.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from worker.core.lanes import Batch, Lanes, Track
from worker.core.records import Converter, Partition, Record
from worker.core.storm import StormBreaker
from worker.mapping.time_limit import Blocked, TimeLimit
from worker.pipeline.committing import FAILING, Commits
from worker.pipeline.dead_lettering import STORM, Burial
from worker.pipeline.delivery import Delivery
from worker.pipeline.intake import Intake
from worker.pipeline.ports import DeadLetters, Destination, Response, Source, Start
from worker.pipeline.wakeup import Wakeup
from worker.telemetry.telemetry import Observation

if TYPE_CHECKING:
    from worker.settings import Settings
    from worker.telemetry.telemetry import Telemetry


async def _no_rule(_record: Record) -> None:
    return None


class Pipeline:
    """Implements `ports.Assignments` for the source, and `delivery.Outcomes` for the delivery.

    Args:
        source: where records come from.
        destination: where calls go.
        dead_letters: where what can never be delivered is kept.
        converter: compiles a topic's mapping, without blocking the loop.
        settings: worker.yaml.
        telemetry: told of everything that happens.
        rule_of: finds which mapping rule handles a record, for dead letters that the API refused.
        commits_may_fail: seconds after which another member may own what is ours here; then sending stops.
        chance: draws from [0, 1), for jitter.
        wall: epoch seconds, for ages and the time of dead letters.
        clock: seconds, for what mapping costs.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - everything that meets here
        self,
        source: Source,
        destination: Destination,
        dead_letters: DeadLetters,
        converter: Callable[[str], Awaitable[Converter]],
        settings: Settings,
        telemetry: Telemetry,
        *,
        rule_of: Callable[[Record], Awaitable[str | None]] = _no_rule,
        commits_may_fail: float = 45.0,
        chance: Callable[[], float] = random.random,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._source = source
        self._settings = settings
        self._telemetry = telemetry
        self._wall = wall
        self._ends: dict[Partition, int] = {}
        self._lanes = Lanes(
            max_bytes=settings.batch.max_bytes,
            max_calls=settings.batch.max_calls,
            linger=settings.batch.linger,
            max_in_flight=settings.delivery.max_requests_in_flight,
        )
        self._delivery = Delivery(destination, self._lanes, settings, telemetry, self, chance=chance)
        self._storm = StormBreaker(
            consecutive=settings.dead_letters.halt_after_consecutive,
            ratio=settings.dead_letters.halt_above_ratio,
            window=settings.dead_letters.window,
        )
        self._burial = Burial(
            dead_letters, self._delivery, self._storm, telemetry, rule_of=rule_of, wall=wall
        )
        self._time_limit = TimeLimit(settings.limits.mapping_timeout, telemetry.mapping_blocked)
        self._intake = Intake(
            self._lanes,
            self._burial,
            self._storm,
            telemetry,
            converter,
            self._time_limit,
            queued=self._notify_lanes,
            clock=clock,
        )
        self._commits = Commits(source, self._lanes, self._delivery, may_fail=commits_may_fail)
        self._draining = False
        self._lost_at_the_end = False
        self._joined = False
        self._lanes_changed = Wakeup()
        self._progress = self._delivery.progress
        self._fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stop_asked = asyncio.Event()
        self._halted = asyncio.Event()
        self._caught_up = asyncio.Event()

    # Life

    async def run(self, *, until_caught_up: bool = False) -> bool:
        """Work until `stop`, or until caught up. True if everything in hand was finished and committed.

        Raises:
            SourceFailed: the source can never work as it is configured.
        """
        with self._time_limit:
            return not await self._open() or await self._work(until_caught_up=until_caught_up)

    async def _work(self, *, until_caught_up: bool) -> bool:
        loops = [
            asyncio.create_task(loop)
            for loop in (self._consume(), self._dispatch(), self._burial.run(), self._commit())
        ]
        reasons = [self._stop_asked, *([self._caught_up, self._halted] if until_caught_up else [])]
        waits = [asyncio.create_task(reason.wait()) for reason in reasons]
        try:
            ends: list[asyncio.Future[Any]] = [*loops, *waits, self._fault]
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()  # a loop that ended has failed
            drained = not (until_caught_up and self._halted.is_set()) and await self._drain()
        finally:
            await _cancel([*waits, *loops, *self._intake.tasks, *self._delivery.in_hand])
            await self._source.close()
        return drained and not self._held() and not self._lost_at_the_end

    async def _open(self) -> bool:
        """Open the source; False if `stop` came first, while no broker answered."""
        opening = asyncio.create_task(self._source.open(self))
        stopping = asyncio.create_task(self._stop_asked.wait())
        await asyncio.wait([opening, stopping], return_when=asyncio.FIRST_COMPLETED)
        await _cancel([stopping])
        if opening.done():
            opening.result()
            return True
        await _cancel([opening])
        await self._source.close()
        return False

    def stop(self, reason: str) -> None:
        """Stop fetching, deliver what is in hand, commit, leave the group."""
        self._telemetry.draining(reason)
        self._stop_asked.set()

    async def _drain(self) -> bool:
        """Deliver and commit what is in hand within `shutdown_timeout`; True if that was everything."""
        self._draining = True
        self._intake.clear()
        self._lanes_changed.notify()
        try:
            async with asyncio.timeout(self._settings.delivery.shutdown_timeout):
                while not self._is_idle():
                    await self._progress.wait()
                while not await self._commits.attempt():
                    await self._commits.wait()
        except TimeoutError:
            return False
        return True

    def _is_idle(self) -> bool:
        return self._burial.is_idle and (self._lanes.is_idle() or self._storm.broken)

    # Fetch and map

    async def _consume(self) -> None:
        while True:
            await self._intake.accept(await self._source.fetch(self._room()))
            self._commit_early_if_crowded()

    def _room(self) -> int:
        """How many records may be fetched; 0 keeps polling."""
        if self._draining or self._storm.broken:
            return 0
        return self._intake.room(*self._left())

    def _left(self) -> tuple[int, int]:
        """How many more records, and bytes, may be in progress."""
        memory = self._settings.memory
        tracks = self._lanes.tracks.values()
        return (
            memory.max_records_in_progress - sum(track.records for track in tracks),
            memory.max_bytes - sum(track.size for track in tracks),
        )

    def _notify_lanes(self) -> None:
        self._lanes_changed.notify()

    # Take and deliver

    async def _dispatch(self) -> None:
        while True:
            await self._delivery.wait_for_room()
            batch = await self._take()
            self._telemetry.batch_closed(batch.why, batch.count, len(batch.body()))
            self._delivery.start(batch).add_done_callback(self._delivery_ended)

    async def _take(self) -> Batch:
        """The next batch, as soon as there is reason to send one."""
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
        oldest = min((each.timestamp()[1] for each in batch.heads() if each.timestamp()[0]), default=None)
        if oldest is not None:
            self._telemetry.freshness_measured(self._wall() - oldest / 1000)
        self._storm.delivered(batch.count)
        self._lanes_changed.notify()
        self._commit_early_if_crowded()

    def refused(self, batch: Batch, response: Response, attempts: int) -> None:
        """See `delivery.Outcomes`."""
        self._burial.refuse(batch, response, attempts)
        self._lanes_changed.notify()

    # Commit

    async def _commit(self) -> None:
        while True:
            await self._commits.attempt()
            self._notice_the_end()
            await self._commits.wait()

    def _commit_early_if_crowded(self) -> None:
        """Where fetching would soon stop for lack of a commit, do not wait for the second to end."""
        records, size = self._left()
        if size <= 0 or 2 * records < self._settings.memory.max_records_in_progress:
            self._commits.hurry()

    def _notice_the_end(self) -> None:
        """Caught up, or never to be: for `--until-caught-up`."""
        if self._delivery.gate.hold or (self._storm.broken and self._burial.is_idle):
            self._halted.set()
        tracks = self._lanes.tracks
        if self._joined and all(
            track.upto >= self._ends[partition] and track.committed == track.upto
            for partition, track in tracks.items()
        ):
            self._caught_up.set()

    # Rebalances

    def assigned(self, starts: Mapping[Partition, Start]) -> None:
        """See `ports.Assignments`."""
        self._joined = True
        self._commits.succeeded()
        for partition, start in starts.items():
            self._lanes.assign(partition, start.offset, start.committed)
            self._ends[partition] = start.end

    async def revoked(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """See `ports.Assignments`.

        What waits for a retry is left to the next owner; waited for is only what is on the wire, and a dead letter
        that is being written.
        """
        tracks = [self._lanes.tracks[each] for each in partitions if each in self._lanes.tracks]
        for track in tracks:
            self._lanes.withdraw(track)
        await self._wait_for_wire(tracks)
        finished = {track.partition: track.committable() for track in tracks}
        self._forget(tracks)
        return finished

    def lost(self, partitions: Sequence[Partition]) -> None:
        """See `ports.Assignments`."""
        self._lost_at_the_end = self._draining
        self._forget([self._lanes.tracks[each] for each in partitions if each in self._lanes.tracks])

    async def _wait_for_wire(self, tracks: list[Track]) -> None:
        deadline = self._now() + self._settings.pipelines.timeout + 1
        while not (self._delivery.tracks_on_wire() | self._burial.writing).isdisjoint(tracks):
            if (left := deadline - self._now()) <= 0:
                return
            await self._progress.wait(left)

    def _forget(self, tracks: list[Track]) -> None:
        for track in tracks:
            self._lanes.forget(track)
            self._ends.pop(track.partition, None)
        self._burial.leave_withdrawn()
        self._progress.notify()

    # What can be asked

    def _held(self) -> str | None:
        return STORM if self._storm.broken else self._delivery.gate.hold

    def problems(self) -> list[dict[str, str]]:
        """Why the worker is not ready, as `/readyz` tells it; empty if it is."""
        reasons = []
        if held := self._held():
            reasons.append({"reason": held, "detail": "nothing is delivered until this is repaired"})
        if self._burial.refused:
            reasons.append({"reason": "DEAD_LETTERS_REFUSED", "detail": self._burial.refused})
        if self._commits.failing_since is not None:
            reasons.append({"reason": FAILING, "detail": "Kafka does not take commits"})
        return reasons

    def observation(self) -> Observation:
        """How things stand, for gauges and the status page."""
        tracks = self._lanes.tracks
        now = self._wall()
        waiting, waiting_size = self._intake.waiting()
        oldest = {partition: track.unfinished.oldest() for partition, track in tracks.items()}
        return Observation(
            in_progress_records=waiting + sum(track.records for track in tracks.values()),
            in_progress_bytes=waiting_size + sum(track.size for track in tracks.values()),
            in_flight_requests=len(self._delivery.on_wire),
            oldest_undelivered={
                partition: max(0.0, now - record.timestamp()[1] / 1000)
                for partition, record in oldest.items()
                if record is not None
            },
            hold=self._held(),
            paused=self._draining or self._storm.broken or min(self._left()) <= 0,
        )

    @property
    def blocked(self) -> Blocked | None:
        """The mapping that blocks the event loop at this moment; may be asked by any thread."""
        return self._time_limit.blocked

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
