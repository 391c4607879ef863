"""What waits while records are slow to map, or their mapping is still compiled."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.memory_source import MemoryRecord
from tests.support.recorded_telemetry import RecordedTelemetry
from worker.core.lanes import Lanes
from worker.core.records import Converter, QueuedCall, Record, RejectedRecord
from worker.core.storm import StormBreaker
from worker.mapping.time_limit import TimeLimit
from worker.pipeline.intake import MAPPING_SECONDS, SLICE, Intake
from worker.pipeline.ports import Fetched

RECORD_SECONDS = 0.03


class Rejections:
    """Stands in for the writer of dead letters."""

    def __init__(self) -> None:
        self.reasons: dict[tuple[str, int], str] = {}

    def reject(self, _state: object, record: Record, rejection: Any) -> None:
        self.reasons[record.topic(), record.offset()] = rejection.reason


class Bench:
    """An intake with one partition of each topic, and a clock that only mapping moves."""

    def __init__(self, *topics: str, limit: float = 60.0) -> None:
        self.now = 0.0
        self.costs: dict[str, float] = {}
        self.slices: list[int] = []
        self.mapped: list[tuple[str, int]] = []
        self.compile_after: dict[tuple[str, int], str] = {}
        self.forever: set[tuple[str, int]] = set()
        self.compiled = {topic: asyncio.Event() for topic in topics}
        self.lanes = Lanes(max_bytes=10_000, max_calls=100, linger=0.0, max_in_flight=1)
        self.states = {topic: self.lanes.assign((topic, 0), 0) for topic in topics}
        self.rejections = Rejections()
        self.time_limit = TimeLimit(limit)
        telemetry: Any = RecordedTelemetry()
        rejections: Any = self.rejections
        storm = StormBreaker(consecutive=1000, ratio=1.0, window=1000)
        self.intake = Intake(
            self.lanes, rejections, storm, telemetry, self._converter, self.time_limit,
            queued=lambda: None, stopwatch=lambda: self.now,
        )  # fmt: skip

    async def _converter(self, topic: str) -> Converter:
        await self.compiled[topic].wait()
        return self._convert

    def _convert(
        self, records: Sequence[Record], _calls: list[QueuedCall], _rejected: list[RejectedRecord]
    ) -> int:
        n = 0
        for record in records:
            while (record.topic(), record.offset()) in self.forever:
                sum(range(1000))
            self.now += self.costs.get(record.topic(), 0.0)
            self.mapped.append((record.topic(), record.offset()))
            if topic := self.compile_after.get(self.mapped[-1]):
                self.compiled[topic].set()
            n += 1
        self.slices.append(n)
        return n

    async def accept(
        self, records: Sequence[Record] = (), positions: Mapping[tuple[str, int], int] = {}
    ) -> None:
        await self.intake.accept(Fetched(list(records), dict(positions)))
        await asyncio.sleep(0)  # lets what is compiled be so

    def reached(self, topic: str) -> int:
        return self.states[topic].offsets.committable()


def of(topic: str, n: int, start: int = 0) -> list[Record]:
    return [MemoryRecord((topic, 0), offset) for offset in range(start, start + n)]


async def test_topics_go_on_while_the_mapping_of_another_is_compiled() -> None:
    bench = Bench("large", "small")
    bench.compiled["small"].set()
    await bench.accept([*of("large", 10), *of("small", 10)], {("large", 0): 12, ("small", 0): 11})
    await bench.accept()
    assert (bench.reached("large"), bench.reached("small")) == (0, 11)
    assert bench.intake.waiting()[0] == 10
    assert bench.intake.fetch_limit(50, 1_000_000) == 40, "what waits counts as in progress"
    await bench.accept(of("small", 5, 11))
    assert (bench.reached("large"), bench.reached("small")) == (0, 16)
    bench.compiled["large"].set()
    await bench.accept()
    await bench.accept()
    assert (bench.reached("large"), bench.reached("small")) == (12, 16)
    assert bench.intake.waiting() == (0, 0)


async def test_records_keep_their_order_while_their_mapping_becomes_ready_between_two_slices() -> None:
    bench = Bench("large", "small", "other")
    bench.compiled["small"].set()
    bench.compiled["other"].set()
    await bench.accept([*of("large", 2), *of("small", 1), *of("other", 1)])
    bench.compile_after["small", 1] = "large"
    # Each run of records is a slice of its own, and the event loop has a turn after each.
    others = [record for at in range(1, 10) for record in (*of("small", 1, at), *of("other", 1, at))]
    await bench.accept([*others, *of("large", 2, 2)], {("large", 0): 4})
    assert bench.reached("large") == 0, "nothing commits past what waits"
    await bench.accept()
    assert [offset for topic, offset in bench.mapped if topic == "large"] == [0, 1, 2, 3]
    assert bench.reached("large") == 4


async def test_nothing_commits_past_records_that_were_dropped_because_their_mapping_was_still_compiled() -> (
    None
):
    bench = Bench("orders")
    await bench.accept(of("orders", 10))
    bench.intake.stop()
    bench.compiled["orders"].set()
    # What a fetch that was under way returns.
    await bench.accept(of("orders", 10, 10), {("orders", 0): 20})
    await bench.accept()
    await bench.accept()
    assert bench.reached("orders") == 0


async def test_nothing_commits_past_records_that_were_dropped_because_they_were_not_mapped_in_time() -> None:
    bench = Bench("slow")
    bench.compiled["slow"].set()
    bench.costs["slow"] = RECORD_SECONDS
    await bench.accept(of("slow", 1000))
    await bench.accept()
    mapped = bench.reached("slow")
    bench.intake.stop()
    await bench.accept((), {("slow", 0): 1000})
    await bench.accept()
    assert bench.reached("slow") == mapped < 1000


async def test_polling_goes_on_between_records_that_take_long() -> None:
    bench = Bench("slow")
    bench.compiled["slow"].set()
    bench.costs["slow"] = RECORD_SECONDS
    await bench.accept(of("slow", 1000))
    before, polls = 0.0, 0
    while bench.intake.waiting()[0]:
        await bench.accept()
        assert bench.intake.fetch_limit(10_000, 10_000_000) == 0 or not bench.intake.waiting()[0]
        if polls > 1:  # the first slice cannot know what is to come
            assert bench.now - before <= MAPPING_SECONDS + RECORD_SECONDS
        before, polls = bench.now, polls + 1
    assert bench.reached("slow") == 1000
    assert bench.slices[0] == SLICE
    assert set(bench.slices[2:]) == {1}
    assert 1 <= bench.intake.fetch_limit(10_000, 10_000_000) <= 1 + MAPPING_SECONDS / RECORD_SECONDS


async def test_a_record_that_takes_too_long_twice_is_rejected_and_comes_again_without_being_mapped() -> None:
    bench = Bench("orders", limit=0.1)
    bench.compiled["orders"].set()
    bench.forever = {("orders", 3)}
    with bench.time_limit:
        await bench.accept(of("orders", 6))
        while bench.intake.waiting()[0] or bench.reached("orders") < 6:
            await bench.accept()
    assert bench.rejections.reasons == {("orders", 3): "MAPPING_TOO_SLOW"}
    assert sum(bench.slices) == 5
    bench.lanes.forget(bench.states["orders"])
    bench.states["orders"] = bench.lanes.assign(("orders", 0), 0)
    bench.rejections.reasons.clear()
    await bench.accept(of("orders", 6))  # nothing watches now: it would never end
    assert bench.rejections.reasons == {("orders", 3): "MAPPING_TOO_SLOW"}
    assert bench.reached("orders") == 6


async def test_entries_of_an_ended_assignment_are_dropped() -> None:
    bench = Bench("orders")
    await bench.accept(of("orders", 6), {("orders", 0): 9})
    bench.lanes.forget(bench.states["orders"])
    bench.states["orders"] = bench.lanes.assign(("orders", 0), 2)
    bench.compiled["orders"].set()
    await bench.accept()
    await bench.accept()
    assert bench.reached("orders") == 2
    assert bench.slices == []
