"""From fetched records to queued calls: each slice of records is mapped in one go, between two turns of the loop.

What a record's mapping costs decides how many are mapped in one go, and how many are fetched: polling must go on, or
the group takes the partitions away.
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

if TYPE_CHECKING:
    from worker.core.lanes import Lanes, PartitionState
    from worker.core.storm import StormBreaker
    from worker.pipeline.dead_lettering import DeadLetterWriter
    from worker.pipeline.ports import Fetched
    from worker.telemetry.telemetry import Telemetry

SLICE = 256
"""Records mapped in one go, at most: few enough that requests and heartbeats hardly wait (about 2 ms), many enough that
what is done once a slice costs nothing."""

SLICE_SECONDS = 0.01
"""How long mapping a slice should take at most; a slice of records that cost more holds fewer, at least one."""

MAPPING_SECONDS = 0.5
"""How long records are mapped between two polls. Kafka's least `max.poll.interval.ms` is a session, so about 6 s; one
record, which may take `limits.mapping_timeout`, comes on top."""

MAX_SLOW_RECORDS = 1000
"""So many records are remembered as too slow: a record may come again when a rebalance overtakes its dead letter."""


TOO_SLOW = "MAPPING_TOO_SLOW"
"""Why a record is rejected whose mapping does not end."""


class Intake:
    """Maps fetched records and queues their calls.

    Args:
        lanes: where calls wait, and the assignments.
        dead_lettering: gets what can never be delivered.
        storm: counts what is mapped.
        telemetry: told of records.
        converter: compiles a topic's mapping; it may take seconds, and must not block the loop.
        time_limit: runs mappings.
        queued: called when new calls change when the next batch is due.
        stopwatch: seconds, for the cost of mapping.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it stands between
        self,
        lanes: Lanes,
        dead_lettering: DeadLetterWriter,
        storm: StormBreaker,
        telemetry: Telemetry,
        converter: Callable[[str], Awaitable[Converter]],
        time_limit: TimeLimit,
        *,
        queued: Callable[[], None],
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._lanes = lanes
        self._dead_lettering = dead_lettering
        self._storm = storm
        self._telemetry = telemetry
        self._converter = converter
        self._time_limit = time_limit
        self._queued = queued
        self._stopwatch = stopwatch
        self._converters: dict[str, Converter] = {}
        self._compiling: dict[str, asyncio.Task[None]] = {}
        self._sizes: dict[str, int] = {}
        self._slow: OrderedDict[tuple[str, int, int], tuple[int, str | None]] = OrderedDict()
        self._backlog = Backlog()
        self._spent = 0.0
        self._fits = 0
        self._record_sizes = RecordSizes()

    # What waits

    def fetch_limit(self, records: int, size: int) -> int:
        """How many records may be fetched, where so many and so many bytes are left; 0 while some can be mapped."""
        if self._backlog.is_ready:
            return 0
        waiting, waiting_size = self._backlog.weight()
        room = size - self._record_sizes.expected(waiting, waiting_size)
        left = max(0, min(records - waiting, self._record_sizes.fitting(room)))
        return min(left, self._fits) if self._fits else left

    def waiting(self) -> tuple[int, int]:
        """How many fetched records wait to be mapped, and their bytes."""
        return self._backlog.weight()

    def clear(self) -> None:
        """Forget what is not mapped yet; it was not committed."""
        self._backlog.clear()

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The tasks that compile mappings."""
        return list(self._compiling.values())

    # Map

    async def accept(self, fetched: Fetched) -> None:
        """Map what was fetched, for a while; what is left then is mapped by the next call."""
        self._take_compiled()
        self._backlog.add(self._lanes.partitions, fetched.records, fetched.positions)
        began, mapped, self._spent = self._stopwatch(), 0, 0.0
        while self._stopwatch() - began < MAPPING_SECONDS and (found := self._backlog.next(self._converters)):
            mapped += self._map(*found)
            await asyncio.sleep(0)
        if mapped:
            self._fits = int(mapped * MAPPING_SECONDS / self._spent) + 1 if self._spent > 0 else 0
        for topic in self._backlog.waiting():
            if topic not in self._compiling:
                self._compiling[topic] = asyncio.create_task(self._compile(topic))

    async def _compile(self, topic: str) -> None:
        """Compiled with its first record: all at once would be seconds for a hundred topics."""
        self._converters[topic] = await self._converter(topic)

    def _take_compiled(self) -> None:
        """Go on with the topics that have been compiled. Raises what compiling one raised."""
        for topic, task in list(self._compiling.items()):
            if task.done():
                del self._compiling[topic]
                task.result()
                self._backlog.resume(topic)

    def _map(self, state: PartitionState, run: Sequence[Record]) -> int:
        """Map a slice of a partition's records: no await, task or metric for a record. Returns how many were mapped."""
        topic = state.partition[0]
        records = Slice(run[: self._sizes.get(topic, SLICE)])
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
        size = self._queue(state, calls) + sum([len(record.value() or b"") for record in records])
        state.accept(records[-1].offset() + 1, len(records), size)
        self._record_sizes.seen(len(records), size)
        self._reject(state, records, rejected)
        self._telemetry.records_consumed(len(records), state.partition[0])

    def _queue(self, state: PartitionState, calls: list[QueuedCall]) -> int:
        """Give calls to the lanes; wakes who waits for a batch if that changes when it is due. Returns their bytes."""
        due = self._lanes.next_due()
        size = self._lanes.add(state, calls, asyncio.get_running_loop().time())
        if self._lanes.next_due() != due:
            self._queued()
        return size

    def _reject(
        self, state: PartitionState, records: Sequence[Record], rejected: list[RejectedRecord]
    ) -> None:
        """Reject what can never be delivered; the storm breaker is told of all records, in order."""
        judged = 0
        for record, verdict in rejected:
            at = judged
            while records[at] is not record:  # by identity: to compare two records reads their headers
                at += 1
            self._storm.mapped(at - judged)
            self._dead_lettering.reject(state, record, verdict)
            judged = at + 1
        self._storm.mapped(len(records) - judged)

    def _measured(self, topic: str, n: int, seconds: float) -> None:
        """Choose the size of the topic's next slice by what this one cost; it grows slowly."""
        self._spent += seconds
        size = self._sizes.get(topic, SLICE)
        if seconds * size > SLICE_SECONDS * n or size < SLICE:
            fits = int(SLICE_SECONDS * n / seconds) if seconds > 0 else SLICE
            self._sizes[topic] = max(1, min(SLICE, 2 * size, fits))

    # Too slow

    def _interrupted(self, state: PartitionState, record: Record) -> None:
        """A record's mapping took too long. The slice is mapped again up to it, then the record alone."""
        place = (*state.partition, record.offset())
        blocked = self._time_limit.interrupted
        times = self._slow.pop(place, (0, None))[0] + 1
        self._slow[place] = times, blocked.mapper if blocked else None
        if len(self._slow) > MAX_SLOW_RECORDS:
            self._slow.popitem(last=False)
        self._telemetry.mapping_interrupted(*place, blocked, times)

    def _stop_before_slow(self, state: PartitionState, records: Slice) -> bool:
        """End a slice before or after a record that was too slow; True if it was so twice, and is rejected."""
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
