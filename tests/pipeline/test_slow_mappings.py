"""Mappings that cost much or do not end. Real interruptions, by signals, are in mapping/test_time_limit.py."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.support.simulation import World
from worker.core.reasons import Rejected
from worker.core.records import MappingInterrupted, QueuedCall, Record
from worker.mapping.time_limit import Slice


class SlowWorld(World):
    """A world in which mapping some records takes too long.

    Attributes:
        interruptions: how often mapping the record at an offset is still interrupted.
        mapped: the length of each slice whose mapping ended.
    """

    def __init__(self, interruptions: dict[int, int]) -> None:
        super().__init__()
        self.interruptions = interruptions
        self.mapped: list[int] = []

    def convert(
        self, records: Sequence[Record], calls: list[QueuedCall], rejected: list[tuple[Record, Rejected]]
    ) -> int:
        assert isinstance(records, Slice)
        for record in records:
            if self.interruptions.get(record.offset(), 0):
                self.interruptions[record.offset()] -= 1
                records.cut()  # as the signal handler does before it raises
                raise MappingInterrupted
        self.mapped.append(len(records))
        return super().convert(records, calls, rejected)


async def test_a_record_that_is_interrupted_twice_is_dead_lettered_and_costs_its_neighbours_nothing() -> None:
    world = SlowWorld({3: 2, 7: 2})
    world.may_give_up = True
    for number in range(10):
        world.add(f"key-{number}")
    member = world.member()
    await world.settled()
    assert world.dead() == [(0, 3), (0, 7)]
    assert sorted(world.delivered()) == [f"0/{number}/0" for number in range(10) if number not in {3, 7}]
    (detail,) = {dead_letter.detail for dead_letter in world.dead_letters.written}
    assert detail == "mapping took longer than 5 s (limits.mapping_timeout), twice."
    assert await member.stop()


async def test_a_record_that_is_interrupted_once_is_mapped_alone_and_delivered() -> None:
    world = SlowWorld({3: 1})
    for number in range(10):
        world.add(f"key-{number}")
    member = world.member()
    await world.settled()
    assert world.dead() == []
    assert len(world.delivered()) == 10
    assert world.mapped[:2] == [3, 1]
    assert await member.stop()


async def test_slices_follow_what_a_record_costs() -> None:
    world = CostlyWorld()
    for number in range(500):
        world.add(f"key-{number}")
    member = world.member()
    await world.settled()
    # The first slice, as large as its fetch, costs more than `SLICE_SECONDS`, so the next hold one record each.
    assert world.mapped[0] > 10
    assert world.mapped[1:3] == [1, 1]
    assert await member.stop()


class CostlyWorld(SlowWorld):
    """A world in which mapping a record takes 10 ms of virtual time."""

    def __init__(self) -> None:
        super().__init__({})

    def convert(
        self, records: Sequence[Record], calls: list[QueuedCall], rejected: list[tuple[Record, Rejected]]
    ) -> int:
        asyncio.get_running_loop()._virtual.now += 0.01 * len(records)  # type: ignore[attr-defined]
        return super().convert(records, calls, rejected)
