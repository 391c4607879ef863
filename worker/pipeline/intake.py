"""Maps fetched records and queues their calls, in slices that each run between two iterations of the event loop.

The measured cost of mapping limits how many records are mapped at once and how many are fetched: a member that does not
poll in time loses its partitions.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from worker.core.reasons import Rejected, Stage
from worker.core.record_sizes import RecordSizes
from worker.core.records import RULE, Converter, MappingInterrupted, QueuedCall, Record, RejectedRecord
from worker.mapping.time_limit import Slice, TimeLimit
from worker.pipeline.backlog import Backlog
from worker.pipeline.waiting_records import WaitingRecords

if TYPE_CHECKING:
    from worker.core.lanes import Lanes, PartitionState
    from worker.core.storm import StormBreaker
    from worker.pipeline.dead_lettering import DeadLetterWriter
    from worker.pipeline.ports import Fetched
    from worker.telemetry.telemetry import Telemetry

SLICE = 256
"""The largest number of records in a slice. At about 6 µs each a slice takes 2 ms, for which requests and heartbeats
wait; the fixed cost of a slice is negligible for so many."""

SLICE_SECONDS = 0.01
"""How long mapping a slice should take at most. Slices of records with a higher cost are smaller, at least one record:
10 ms is short against the latency of a request."""

MAPPING_SECONDS = 0.5
"""How long records are mapped between two polls. `max.poll.interval.ms` cannot be below the session timeout, for which
brokers allow 6 s or more by default; one more record may take `limits.mapping_timeout` on top."""

MAX_SLOW_RECORDS = 1000
"""The number of slow records kept in memory: a record is fetched again if a rebalance comes before its dead letter is
acknowledged, and must not block the worker again. An entry takes about 200 bytes."""

TOO_SLOW = "MAPPING_TOO_SLOW"
"""The reason for rejecting a record whose mapping was interrupted twice."""


class Intake:
    """Maps fetched records and queues their calls.

    Args:
        lanes: the queues for calls, and the assigned partitions.
        dead_lettering: receives records that can never be delivered.
        storm: counts mapped records.
        telemetry: notified of records.
        converter: compiles a topic's mapping; this may take seconds and must not block the loop.
        time_limit: runs mappings.
        queued: called when new calls change the time at which the next batch is due.
        waiting: keeps the records whose schema has to be fetched first; None where no topic needs schemas.
        stopwatch: seconds, to measure the cost of mapping.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - its collaborators
        self,
        lanes: Lanes,
        dead_lettering: DeadLetterWriter,
        storm: StormBreaker,
        telemetry: Telemetry,
        converter: Callable[[str], Awaitable[Converter]],
        time_limit: TimeLimit,
        *,
        queued: Callable[[], None],
        waiting: WaitingRecords | None = None,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._lanes = lanes
        self._dead_lettering = dead_lettering
        self._storm = storm
        self._telemetry = telemetry
        self._converter = converter
        self._time_limit = time_limit
        self._queued = queued
        self._waiting = waiting
        self._stopwatch = stopwatch
        self._converters: dict[str, Converter] = {}
        self._compiling: dict[str, asyncio.Task[Converter]] = {}
        self._sizes: dict[str, int] = {}
        self._slow: OrderedDict[tuple[str, int, int], tuple[int, str | None]] = OrderedDict()
        self._backlog = Backlog()
        self._stopped = False
        self._spent = 0.0
        self._fits = 0
        self._record_sizes = RecordSizes()

    # Backlog

    def fetch_limit(self, records: int, size: int) -> int:
        """How many records may be fetched.

        Args:
            records: how many more may be in progress.
            size: how many more bytes may be in progress.

        Returns:
            0 while fetched records still wait to be mapped.
        """
        if self._backlog.is_ready:
            return 0
        waiting, waiting_size = self._backlog.weight()
        room = size - self._record_sizes.expected(waiting, waiting_size)
        left = max(0, min(records - waiting, self._record_sizes.fitting(room)))
        return min(left, self._fits) if self._fits else left

    def waiting(self) -> tuple[int, int]:
        """The number of fetched records that wait to be mapped, and their bytes."""
        return self._backlog.weight()

    def stop(self) -> None:
        """Drop records that are not mapped yet, and all that is fetched from now on; none of it is committed.

        A fetch may be under way: if what it returns counted as read, a commit would skip the records dropped here.
        """
        self._stopped = True
        self._backlog.clear()
        if self._waiting is not None:
            self._waiting.clear()

    @property
    def tasks(self) -> list[asyncio.Task[Converter]]:
        """The tasks that compile mappings."""
        return list(self._compiling.values())

    # Mapping

    async def accept(self, fetched: Fetched) -> None:
        """Map fetched records for at most `MAPPING_SECONDS`; the next call maps the rest."""
        if self._stopped:
            return
        self._resume_compiled()
        if self._waiting is not None and not self._backlog.is_ready:  # or they could overtake older records
            for state, records in self._waiting.resumed():
                self._backlog.put_back(state, records)
        self._backlog.add(self._lanes.partitions, fetched.records, fetched.positions)
        began, mapped, self._spent = self._stopwatch(), 0, 0.0
        # One slice at a time: requests, heartbeats and pages get their turn in between.
        while self._stopwatch() - began < MAPPING_SECONDS and (found := self._backlog.next(self._converters)):
            mapped += self._map(*found)
            await asyncio.sleep(0)
        # `_spent` counts only mapping, without the other tasks' turns.
        if mapped:
            self._fits = int(mapped * MAPPING_SECONDS / self._spent) + 1 if self._spent > 0 else 0
        for topic in self._backlog.waiting():
            if topic not in self._compiling:
                self._compiling[topic] = asyncio.create_task(self._compile(topic))

    async def _compile(self, topic: str) -> Converter:
        """Compile a topic's mapping when its first record arrives: all files at the start would take seconds."""
        return await self._converter(topic)

    def _resume_compiled(self) -> None:
        """Resume the topics whose mapping has been compiled. Raises what compiling one raised.

        Only here does a topic become mappable, together with its records that were set aside: younger records that were
        mapped before them would break their order, and commits would skip them.
        """
        for topic, task in list(self._compiling.items()):
            if task.done():
                del self._compiling[topic]
                self._converters[topic] = task.result()
                self._backlog.resume(topic)

    def _map(self, state: PartitionState, run: Sequence[Record]) -> int:
        """Map a slice of a run of one partition; returns the number of records that were mapped.

        This is the hot path: there is no await, task or metric for each record, only for each slice.
        """
        topic = state.partition[0]
        records = Slice(run[: self._sizes.get(topic, SLICE)])
        if self._waiting is not None and self._set_aside(self._waiting, state, records):
            return 0
        if self._slow and self._stop_before_slow(state, records):
            return 1
        calls: list[QueuedCall] = []
        rejected: list[RejectedRecord] = []
        began = self._stopwatch()
        try:
            ignored = self._time_limit.map(self._converters[topic], records, calls, rejected)
        except MappingInterrupted:
            self._interrupted(state, records[-1])
            return 0
        self._measured(topic, len(records), self._stopwatch() - began)
        self._backlog.mapped(len(records))
        self._accept(state, records, calls, rejected)
        if ignored:
            self._telemetry.records_ignored(ignored, topic)
        if self._telemetry.awaits_matches():
            matched = {call[RULE] for call in calls} | {verdict.rule for _, verdict in rejected}
            self._telemetry.rules_matched(topic, matched)
        return len(records)

    def _accept(
        self,
        state: PartitionState,
        records: Sequence[Record],
        calls: list[QueuedCall],
        rejected: list[RejectedRecord],
    ) -> None:
        late = self._waiting is not None and state.offsets.is_aside(records[0].offset())
        size = self._queue(state, calls, late=late) + _bytes(records)
        if late:
            state.accept_late([record.offset() for record in records], size - _bytes(records))
        else:
            state.accept(records[-1].offset() + 1, len(records), size)
        self._record_sizes.seen(len(records), size)
        self._reject(state, records, rejected)
        self._telemetry.records_consumed(len(records), state.partition[0])

    def _set_aside(self, waiting: WaitingRecords, state: PartitionState, records: Slice) -> bool:
        """Leave only those records in a slice that need no schema first; True if it has none then.

        The others are accepted: they count as in progress, and hold the commit back.
        """
        ready = waiting.mappable(state, records)
        if len(ready) == len(records):
            return False
        kept = {record.offset() for record in ready}
        others = [record for record in records if record.offset() not in kept]
        new = [record for record in others if not state.offsets.is_aside(record.offset())]
        for record in new:
            state.offsets.set_aside(record)
        state.in_progress.accept(records[-1].offset() + 1, len(new), _bytes(new))
        self._backlog.leave(ready, of=len(records), next_offset=records[-1].offset() + 1)
        records[:] = ready
        return not ready

    def _queue(self, state: PartitionState, calls: list[QueuedCall], *, late: bool) -> int:
        """Queue calls, and notify the dispatcher if the next batch is due at another time now. Returns their bytes."""
        due = self._lanes.next_due()
        size = self._lanes.add(state, calls, asyncio.get_running_loop().time(), late=late)
        if self._lanes.next_due() != due:
            self._queued()
        return size

    def _reject(
        self, state: PartitionState, records: Sequence[Record], rejected: list[RejectedRecord]
    ) -> None:
        """Reject records that can never be delivered; the storm breaker counts all records, in order."""
        counted = 0
        for record, rejection in rejected:
            at = counted
            while records[at] is not record:  # identity, because `==` of two messages compares their headers
                at += 1
            self._storm.mapped(at - counted)
            self._dead_lettering.reject(state, record, rejection)
            counted = at + 1
        self._storm.mapped(len(records) - counted)

    def _measured(self, topic: str, n: int, seconds: float) -> None:
        """Set the size of the topic's next slice by the cost of this one. It at most doubles, in case of an outlier."""
        self._spent += seconds
        size = self._sizes.get(topic, SLICE)
        if seconds * size > SLICE_SECONDS * n or size < SLICE:
            fits = int(SLICE_SECONDS * n / seconds) if seconds > 0 else SLICE
            self._sizes[topic] = max(1, min(SLICE, 2 * size, fits))

    # Slow records

    def _interrupted(self, state: PartitionState, record: Record) -> None:
        """Remember a record whose mapping was interrupted. The records before it are mapped again, then it alone.

        The second try is fair to a record that was slow only because of the machine.
        """
        place = (*state.partition, record.offset())
        blocked = self._time_limit.interrupted
        times = self._slow.pop(place, (0, None))[0] + 1
        self._slow[place] = times, blocked.mapper if blocked else None
        if len(self._slow) > MAX_SLOW_RECORDS:
            self._slow.popitem(last=False)
        self._telemetry.mapping_interrupted(*place, blocked, times)

    def _stop_before_slow(self, state: PartitionState, records: Slice) -> bool:
        """Cut a slice so that a slow record is in a slice of its own; True if it was slow twice and is now rejected."""
        for at, record in enumerate(records):
            times, mapper = self._slow.get((*state.partition, record.offset()), (0, None))
            if times:
                del records[max(1, at) :]
                if at == 0 and times > 1:
                    self._backlog.mapped(1)
                    self._accept(state, records, [], [(record, self._too_slow(mapper))])
                    return True
                return False
        return False

    def _too_slow(self, mapper: str | None) -> Rejected:
        limit = f"{self._time_limit.seconds:g} s (limits.mapping_timeout)"
        where = f"mapper {mapper}: " if mapper else ""
        return Rejected(Stage.MAP, TOO_SLOW, f"{where}mapping took longer than {limit}, twice.")


def _bytes(records: Sequence[Record]) -> int:
    return sum([len(record.value() or b"") for record in records])
