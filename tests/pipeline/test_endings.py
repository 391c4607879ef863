"""How work ends, as a whole or for a partition: draining, caught up, revoked, lost."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.scripted_api import Reply
from tests.support.simulation import TOPIC, World, always, at, in_turn, until
from worker.core.records import Partition

# Draining and ending


@pytest.mark.parametrize(("millis", "ages"), [(-1, {}), (-1001, {}), (10**15, {(TOPIC, 0): 0.0})])
async def test_ages_are_never_negative_and_records_without_a_time_have_none(
    millis: int, ages: dict[Partition, float]
) -> None:
    world = World()
    world.add()
    world.broker.logs[TOPIC, 0].records[0].millis = millis
    member = world.member(until(5, Reply(503)))
    await at(2)
    assert member.pipeline.observation().oldest_undelivered == ages
    assert await member.stop()
    assert member.telemetry.of("freshness_measured") == [(age,) for age in ages.values()]


async def test_draining_delivers_and_commits_records_in_progress() -> None:
    world = World(batch={"linger": "10s"})
    for number in range(5):
        world.add(f"key-{number}")
    member = world.member()
    await at(1)
    assert world.account.requests == []
    assert await member.stop()
    assert world.broker.committed == {(TOPIC, 0): 5}
    assert asyncio.get_running_loop().time() < 3


@pytest.mark.parametrize("status", [0, 503, 401])
async def test_draining_ends_in_time_and_returns_false_if_unfinished(status: int) -> None:
    world = World(delivery={"shutdown_timeout": "10s"})
    world.add()
    member = world.member(always(status))
    await at(5)
    assert not await member.stop()
    assert 14.9 <= asyncio.get_running_loop().time() <= 16
    assert world.broker.committed.get((TOPIC, 0), 0) == 0


async def test_caught_up_means_everything_up_to_the_end_is_finished() -> None:
    world = World(partitions=3, memory={"max_records_in_progress": 10})
    for number in range(100):
        world.add(f"key-{number}", partition=number % 2, reject=number == 50)
    world.broker.skip(TOPIC, 1, 2)
    member = world.member(until_caught_up=True)
    assert await member.finished()
    world.check()
    assert world.broker.committed == {(TOPIC, 0): 50, (TOPIC, 1): 52, (TOPIC, 2): 0}


async def test_a_worker_without_partitions_is_caught_up_immediately() -> None:
    world = World()
    world.member()
    await at(1)
    assert await world.member(until_caught_up=True).finished()


@pytest.mark.parametrize("trouble", ["hold", "storm"])
async def test_a_worker_on_hold_stops_instead_of_catching_up(trouble: str) -> None:
    world = World(dead_letters={"halt_after_consecutive": 2})
    for _ in range(5):
        world.add(reject=trouble == "storm")
    member = world.member(always(401), until_caught_up=True)
    assert not await member.finished()
    assert asyncio.get_running_loop().time() < 20


# Rebalances


async def test_a_revoke_waits_for_requests_in_flight_and_commits_them() -> None:
    world = World(batch={"linger": "0s"})
    world.add("a")
    world.member(always(200, before=5.0, after=5.0))
    await at(1)
    world.broker.take_away([(TOPIC, 0)])
    await at(9)
    assert world.broker.committed.get((TOPIC, 0), 0) == 0
    await at(11)
    assert world.broker.committed == {(TOPIC, 0): 1}
    assert (TOPIC, 0) not in world.broker.owners


async def test_no_calls_of_a_partition_are_sent_while_its_revoke_waits() -> None:
    world = World(batch={"linger": "2s"})
    world.add("a")
    world.member(always(200, before=5.0, after=5.0))
    await at(2.5)  # the first request is on the wire
    world.add("b")
    await at(3)
    world.broker.take_away([(TOPIC, 0)])
    await at(20)
    assert world.delivered() == ["0/0/0"]
    assert world.broker.committed == {(TOPIC, 0): 1}


async def test_a_revoke_does_not_wait_for_a_retry_and_revoked_calls_are_not_retried() -> None:
    world = World(batch={"linger": "0s"}, delivery={"retry_initial": "100s", "retry_max": "100s"})
    world.add("a")
    member = world.member(in_turn(Reply(503)))
    await at(0.5)
    assert len(world.account.requests) == 1
    world.broker.take_away([(TOPIC, 0)])
    await at(1)
    assert (TOPIC, 0) not in world.broker.owners
    await at(500)
    assert len(world.account.requests) == 1
    assert member.pipeline.observation().in_progress_records == 0


async def test_a_revoke_in_the_middle_of_a_split_leaves_the_rest_to_the_next_owner() -> None:
    world = World(batch={"max_calls": 50})
    for number in range(16):
        world.add(f"key-{number % 4}", poison=400 if number == 9 else None)
    world.member(lambda _: Reply(before=0.5, after=0.5))
    await at(3)  # the first halves are on their way
    world.broker.take_away([(TOPIC, 0)])
    await at(10)
    sent = len(world.account.requests)
    assert (TOPIC, 0) not in world.broker.owners
    await at(20)
    assert len(world.account.requests) == sent
    world.broker.give_back([(TOPIC, 0)])
    await world.settled()
    assert world.dead() == [(0, 9)]


async def test_a_running_commit_does_not_affect_the_next_assignment_of_its_partition() -> None:
    world = World(batch={"linger": "0s"})
    member = world.member()
    member.source.commit_seconds = 5.0
    world.add("a")
    await at(3)  # the first commit is under way
    world.broker.take_away([(TOPIC, 0)])
    await at(4)
    world.broker.give_back([(TOPIC, 0)])
    world.add("b")
    member.api.script = until(60, Reply(503))
    await at(59)
    assert world.broker.committed == {(TOPIC, 0): 1}
    await world.settled()
    assert world.account.times == {"orders/0/0/0": 1, "orders/0/1/0": 1}


async def test_dead_letters_of_a_revoked_partition_are_left_to_the_next_owner() -> None:
    world = World()
    world.add(reject=True)
    world.dead_letters.failures = -1
    world.member()
    await at(5)
    world.broker.take_away([(TOPIC, 0)])
    await at(8)
    world.dead_letters.failures = 0
    await at(20)
    assert world.dead() == []
    world.broker.give_back([(TOPIC, 0)])
    await world.settled()
    assert world.dead() == [(0, 0)]


async def test_draining_does_not_wait_for_lost_partitions() -> None:
    world = World(delivery={"retry_initial": "100s", "retry_max": "100s"})
    world.add()
    member = world.member(always(503))
    await at(5)
    member.pipeline.stop("SIGTERM")
    await at(6)
    world.broker.take_away([(TOPIC, 0)])
    await member.finished()
    assert asyncio.get_running_loop().time() < 10


async def test_two_members_share_the_work_without_sending_each_others_calls() -> None:
    world = World(partitions=4, batch={"linger": "0s"})
    first = world.member()
    await at(1)
    second = world.member()
    await at(2)
    for number in range(400):
        world.add(f"key-{number % 50}", partition=number % 4)
    await world.settled()
    assert set(world.account.times.values()) == {1}
    assert {request.member for request in world.account.requests} == {first.api, second.api}


async def test_a_revoke_commits_only_what_is_new() -> None:
    """Where the next owner is faster, a commit of the same offset would set its own back."""
    world = World()
    world.add("a")
    member = world.member()
    await world.settled()
    rebalances = member.pipeline._rebalances
    assert await rebalances.revoked([(TOPIC, 0)]) == {}
