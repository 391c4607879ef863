"""Promises 1 and 3 of docs/guarantees.md, in the simplest worlds."""

from __future__ import annotations

from tests.support.simulation import World


async def test_every_record_is_delivered_once_and_committed() -> None:
    world = World(partitions=2)
    for number in range(500):
        world.add(f"key-{number % 37}", partition=number % 2)
    member = world.member()
    await world.settled()
    assert len(world.delivered()) == 500
    assert set(world.account.times.values()) == {1}
    assert await member.stop()
