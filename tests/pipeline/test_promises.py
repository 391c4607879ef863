"""What contract.md section 4 promises, one sentence at a time. The simulation has them all at once."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.scripted_api import Reply, Request
from tests.support.simulation import TOPIC, World, always, at, in_turn, until

# 1. At least once


async def test_every_record_is_delivered_once_and_committed_when_all_goes_well() -> None:
    world = World(partitions=2)
    for number in range(500):
        world.add(f"key-{number % 37}", partition=number % 2)
    member = world.member()
    await world.settled()
    assert len(world.delivered()) == 500
    assert set(world.account.times.values()) == {1}
    assert await member.stop()


async def test_nothing_is_committed_past_a_request_without_a_response() -> None:
    world = World()
    for number in range(5):
        world.add(f"key-{number}")
    world.member(until(100, Reply(0)))
    await at(99)
    assert world.broker.committed.get((TOPIC, 0), 0) == 0
    await world.settled()


async def test_nothing_is_committed_past_an_unacknowledged_dead_letter() -> None:
    world = World()
    world.add(reject=True)
    world.add("other")
    world.dead_letters.failures = -1
    member = world.member()
    await at(30)
    assert world.delivered() == ["0/1/0"]
    assert world.broker.committed.get((TOPIC, 0), 0) == 0
    assert {"reason": "DEAD_LETTERS_REFUSED", "detail": "the broker is not available"} in (
        member.pipeline.problems()
    )
    world.dead_letters.failures = 0
    await world.settled()
    assert world.dead() == [(0, 0)]


async def test_an_ignored_record_is_committed() -> None:
    world = World()
    world.add_calls("k", [])
    world.member()
    await world.settled()
    assert world.account.requests == []


async def test_the_start_of_a_partition_is_committed_even_if_nothing_was_read() -> None:
    world = World(partitions=2)
    world.add(partition=0)
    world.member()
    await world.until_committed(1)
    assert world.broker.committed == {(TOPIC, 0): 1, (TOPIC, 1): 0}


async def test_offsets_without_records_are_committed_past() -> None:
    world = World()
    world.add()
    world.broker.skip(TOPIC, 0, 5)
    world.member()
    await world.settled()
    assert world.broker.committed == {(TOPIC, 0): 6}


async def test_a_worker_that_is_cancelled_loses_nothing() -> None:
    world = World()
    for number in range(50):
        world.add(f"key-{number}")
    member = world.member(always(200, before=1.0, after=1.0))
    await at(1.5)
    await member.stop_at_once()
    assert not world.account.in_flight
    world.member()
    await world.settled()


async def test_a_worker_that_is_cancelled_does_not_wait_for_dead_letters() -> None:
    world = World()
    world.add(reject=True)
    world.dead_letters.seconds = 1000.0
    member = world.member()
    await at(5)
    await member.stop_at_once()
    assert asyncio.get_running_loop().time() < 6


# 2. The same bytes again: the account compares each request with what was encoded first


async def test_a_call_without_a_response_is_sent_again_as_the_same_bytes() -> None:
    world = World()
    world.add(calls=3)
    world.member(in_turn(Reply(0, delivers=True), Reply(500)))
    await world.settled()
    assert set(world.account.times.values()) == {2}
    assert len({request.body for request in world.account.requests}) == 1


# 3. Order


async def test_a_key_waits_for_its_request_while_others_go_on() -> None:
    world = World(batch={"max_calls": 1, "linger": "0s"})
    world.add("slow")
    world.add("slow")
    world.add("quick")
    first = world.account

    def script(request: Request) -> Reply:
        return Reply(after=10.0) if request is first.requests[0] else Reply()

    world.member(script)
    await at(5)
    assert world.delivered() == ["0/0/0", "0/2/0"]
    await world.settled()
    assert world.delivered() == ["0/0/0", "0/2/0", "0/1/0"]


async def test_a_key_in_another_partition_does_not_wait() -> None:
    world = World(partitions=2, batch={"max_calls": 1, "linger": "0s"})
    world.add("k", partition=0)
    world.add("k", partition=1)
    world.member(lambda request: Reply(after=10.0 if request.ids[0].startswith("orders/0") else 0.1))
    await at(5)
    assert sorted(world.delivered()) == ["0/0/0", "1/0/0"]


async def test_lanes_of_a_delivered_half_are_taken_before_the_other_half_is_done() -> None:
    """A batch was split; what waits behind its delivered half must not wait for the other half."""
    world = World(batch={"max_calls": 2, "linger": "0s"})
    world.add("a")
    world.add("b", poison=500)
    world.member()
    await at(0.3)  # the batch of both has failed once
    world.add("a")
    world.add("c")
    await at(20)
    assert {"0/0/0", "0/2/0", "0/3/0"} == set(world.delivered())


# 4. Sizes and rate: the account checks sizes with each request


@pytest.mark.parametrize("latency", [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5)])
async def test_no_window_sees_more_requests_than_allowed(latency: tuple[float, float]) -> None:
    world = World(
        batch={"max_calls": 1, "linger": "0s"},
        rate_limit={"requests": 3, "per": "1s"},
        delivery={"max_requests_in_flight": 8},
    )
    for number in range(30):
        world.add(f"key-{number}")
    before, after = latency
    member = world.member(lambda _: Reply(before=before, after=after))
    await world.settled()
    arrivals = world.account.arrivals(member.api)
    rounding = 1e-9  # of sums of virtual seconds
    assert all(later - first >= 1 - rounding for first, later in zip(arrivals, arrivals[3:], strict=False))
    assert arrivals[-1] < 30 / 3 * 1.7


async def test_no_more_requests_than_allowed_are_in_flight() -> None:
    world = World(batch={"max_calls": 1, "linger": "0s"}, delivery={"max_requests_in_flight": 3})
    for number in range(40):
        world.add(f"key-{number}", poison=500 if number % 4 == 0 else None)
    most = 0

    def script(_: Request) -> Reply:
        nonlocal most
        most = max(most, len(world.account.in_flight))
        return Reply()

    world.member(script)
    await at(50)
    assert most == 3


# 6. Never far ahead: `WatchedSource` checks with each fetch


@pytest.mark.parametrize("most", [1, 2, 10])
async def test_the_worker_is_never_further_ahead_than_allowed_and_never_stalls(most: int) -> None:
    world = World(partitions=2, memory={"max_records_in_progress": most}, batch={"linger": "0s"})
    for number in range(100):
        world.add(f"key-{number}", partition=number % 2, calls=number % 3 + 1)
    world.member()
    await world.settled(within=40)


@pytest.mark.slow
async def test_fetching_stops_at_the_bytes_allowed() -> None:
    world = World(memory={"max_bytes": 5000})
    for number in range(3000):
        world.add(f"key-{number}", pad="x" * 100)
    member = world.member(until(50, Reply(0)))
    await at(40)
    assert member.source.ahead <= 1000
    assert member.pipeline.observation().paused
    await world.settled()


async def test_records_with_a_waiting_dead_letter_count_as_bytes_in_progress() -> None:
    world = World(memory={"max_bytes": 50_000, "max_records_in_progress": 100_000})
    world.dead_letters.failures = -1
    world.member()
    for number in range(100):
        for _ in range(20):
            world.add(f"key-{number}", reject=True, pad="x" * 1000)
        await asyncio.sleep(0.1)
    await at(30)
    assert world.members[0].source.ahead < 100
    world.dead_letters.failures = 0
    await world.settled()


async def test_a_commit_is_attempted_each_second_while_there_is_progress() -> None:
    world = World(batch={"linger": "0s"})
    world.member()
    for number in range(50):
        world.add(f"key-{number}")
        await asyncio.sleep(0.2)
    assert 9 <= len(world.broker.commits) <= 12


async def test_when_commits_have_failed_for_too_long_nothing_more_is_sent() -> None:
    world = World(batch={"linger": "0s"})
    member = world.member()
    member.source.commit_failures = -1
    for number in range(100):
        world.add(f"key-{number}")
        await asyncio.sleep(1)
    assert 45 <= len(world.account.requests) <= 50
    assert {"reason": "COMMIT_FAILING", "detail": "Kafka rejects commits"} in member.pipeline.problems()
    member.source.commit_failures = 0
    await world.settled()
    assert member.pipeline.problems() == []


async def test_a_new_assignment_lets_sending_resume_after_failed_commits() -> None:
    world = World(batch={"linger": "0s"})
    world.add()
    member = world.member()
    await world.settled()
    world.add()
    member.source.commit_failures = -1
    await at(100)
    world.add()
    member.source.lose([(TOPIC, 0)])
    await at(101)
    member.source.commit_failures = 0
    await world.settled()


async def test_a_commit_that_failed_in_a_rebalance_is_repeated_with_the_new_assignment() -> None:
    world = World(partitions=2, batch={"linger": "0s"})
    member = world.member()
    world.broker.take_away([(TOPIC, 1)])
    await at(1.5)
    world.add()
    await at(1.9)
    member.source.commit_failures = 1
    await at(2.2)
    assert member.source.commit_failures == 0
    assert world.broker.committed[TOPIC, 0] == 0
    world.broker.give_back([(TOPIC, 1)])
    await asyncio.sleep(0.5)  # by itself the next attempt would be after a second
    assert world.broker.committed[TOPIC, 0] == 1


async def test_commits_that_fail_are_repeated_each_second_however_much_waits_for_them() -> None:
    world = World(batch={"linger": "0s"}, memory={"max_records_in_progress": 10})
    member = world.member()
    for number in range(20):
        world.add(f"key-{number}")
    member.source.commit_failures = 20
    await at(10)
    assert 8 <= member.source.commit_failures <= 11
    await world.settled()
