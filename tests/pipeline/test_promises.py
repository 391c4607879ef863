"""What contract.md section 4 promises, one sentence at a time. The simulation has them all at once."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from tests.support.scripted_api import Reply, Request, Script
from tests.support.simulation import TOPIC, World, always


def in_turn(*replies: Reply) -> Script:
    """A script that gives these replies, then good ones."""
    left = list(replies)
    return lambda _: left.pop(0) if left else Reply()


def until(seconds: float, reply: Reply) -> Script:
    """A script that answers so until a point in time, then well."""
    return lambda request: reply if request.sent_at < seconds else Reply()


async def at(seconds: float) -> None:
    """Virtual time goes on up to here."""
    await asyncio.sleep(seconds - asyncio.get_running_loop().time())


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


async def test_nothing_is_committed_past_a_request_that_was_not_answered() -> None:
    world = World()
    for number in range(5):
        world.add(f"key-{number}")
    world.member(until(100, Reply(0)))
    await at(99)
    assert world.broker.committed.get((TOPIC, 0), 0) == 0
    await world.settled()


async def test_nothing_is_committed_past_a_letter_that_was_not_acknowledged() -> None:
    world = World()
    world.add(reject=True)
    world.add("other")
    world.letters.failures = -1
    member = world.member()
    await at(30)
    assert world.delivered() == ["0/1/0"]
    assert world.broker.committed.get((TOPIC, 0), 0) == 0
    assert {"reason": "DEAD_LETTERS_REFUSED", "detail": "the broker is not available"} in (
        member.pipeline.problems()
    )
    world.letters.failures = 0
    await world.settled()
    assert world.dead() == [(0, 0)]


async def test_a_record_that_becomes_nothing_is_committed() -> None:
    world = World()
    world.add_calls("k", [])
    world.member()
    await world.settled()
    assert world.account.requests == []


async def test_the_start_of_a_partition_is_committed_though_nothing_was_read() -> None:
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


async def test_one_that_is_stopped_at_once_loses_nothing() -> None:
    world = World()
    for number in range(50):
        world.add(f"key-{number}")
    member = world.member(always(200, before=1.0, after=1.0))
    await at(1.5)
    await member.stop_at_once()
    assert not world.account.in_flight
    world.member()
    await world.settled()


async def test_one_that_is_stopped_at_once_waits_for_no_letter() -> None:
    world = World()
    world.add(reject=True)
    world.letters.seconds = 1000.0
    member = world.member()
    await at(5)
    await member.stop_at_once()
    assert asyncio.get_running_loop().time() < 6


# 2. The same bytes again: the account compares each request with what was encoded first


async def test_a_call_whose_answer_was_lost_is_sent_again_as_the_same_bytes() -> None:
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


async def test_lanes_that_are_free_again_are_taken_before_all_of_their_request_is_done() -> None:
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
    assert all(later - first >= 1 for first, later in zip(arrivals, arrivals[3:], strict=False))
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


# 5. One bad call


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("neighbours", [False, True])
async def test_a_bad_call_is_found_and_its_neighbours_keep_their_order(
    status: int,
    neighbours: bool,  # noqa: FBT001 - parametrized
) -> None:
    world = World(batch={"max_calls": 100, "max_bytes": 20_000})
    for number in range(40):
        world.add(f"key-{number % 3}", poison=status if number == 17 else None)
    member = world.member()
    member.api.neighbours = neighbours
    await world.settled(within=60)
    assert world.dead() == [(0, 17)]
    assert len(world.delivered()) == 39
    letter = world.letters.letters[0]
    assert (letter.stage, letter.reason, letter.status, letter.call_index) == (
        "deliver",
        f"HTTP_{status}",
        status,
        0,
    )


async def test_the_other_calls_of_a_record_are_sent_though_one_is_refused() -> None:
    world = World()
    world.add_calls("k", [{}, {"poison": 400}, {}, {"poison": 400}])
    world.member()
    await world.settled()
    assert world.delivered() == ["0/0/0", "0/0/2"]
    assert world.dead() == [(0, 0)]


async def test_a_call_alone_with_5xx_is_given_up_while_all_others_go_on() -> None:
    world = World(batch={"linger": "0s"})
    world.add("bad", poison=500)
    world.member()
    for number in range(30):
        world.add(f"key-{number}")
        await asyncio.sleep(1)
    assert len(world.delivered()) >= 29
    assert world.dead() == []
    await world.settled(within=60)
    assert world.dead() == [(0, 0)]
    assert world.letters.letters[0].attempts > 3


async def test_a_bad_call_in_the_way_of_all_others_is_found() -> None:
    """There is nobody who could pass: what is not in its batch waits behind it."""
    world = World(batch={"linger": "0s"})
    world.add("a")
    world.add("b", poison=500)
    world.member()
    await at(1)
    for _ in range(50):
        world.add("a")
        await asyncio.sleep(2)
    assert len(world.delivered()) == 51
    await world.settled()
    assert world.dead() == [(0, 1)]


async def test_many_bad_calls_do_not_take_the_places_of_good_ones() -> None:
    world = World(
        batch={"max_calls": 1, "linger": "0s"},
        delivery={"max_requests_in_flight": 2, "give_up_alone_after": "1h"},
    )
    for number in range(10):
        world.add(f"bad-{number}", poison=503)
    world.add("good")
    world.member()
    await at(300)
    assert world.delivered() == ["0/10/0"]
    for number in range(20):
        world.add(f"key-{number}")
    await at(310)
    assert len(world.delivered()) == 21


async def test_an_outage_dead_letters_nothing_however_long_it_is() -> None:
    world = World()
    for number in range(10):
        world.add(f"key-{number}")
    member = world.member(until(2000, Reply(503)))
    await world.settled()
    assert world.dead() == []
    assert len(world.account.requests) < 2000 / 2  # at most five seconds between two probes
    assert member.telemetry.of("request_retried")


async def test_what_still_fails_after_give_up_after_is_dead_lettered() -> None:
    world = World(delivery={"give_up_after": "30s"})
    world.may_give_up = True
    world.add("a")
    world.add("b")
    world.member(always(503))
    await world.settled(within=60)
    assert sorted(world.dead()) == [(0, 0), (0, 1)]
    assert asyncio.get_running_loop().time() >= 30


# 6. Never far ahead: `WatchedSource` checks with each fetch


@pytest.mark.parametrize("most", [1, 2, 10])
async def test_the_worker_is_never_further_ahead_than_allowed_and_never_stands_still(most: int) -> None:
    world = World(partitions=2, memory={"max_records_in_progress": most}, batch={"linger": "0s"})
    for number in range(100):
        world.add(f"key-{number}", partition=number % 2, calls=number % 3 + 1)
    world.member()
    await world.settled(within=40)


async def test_fetching_stops_at_the_bytes_allowed() -> None:
    world = World(memory={"max_bytes": 5000})
    for number in range(3000):
        world.add(f"key-{number}", pad="x" * 100)
    member = world.member(until(50, Reply(0)))
    await at(40)
    assert member.source.ahead <= 1000
    assert member.pipeline.observation().paused
    await world.settled()


async def test_records_whose_letters_wait_count_as_bytes_in_progress() -> None:
    world = World(memory={"max_bytes": 50_000, "max_records_in_progress": 100_000})
    world.letters.failures = -1
    world.member()
    for number in range(100):
        for _ in range(20):
            world.add(f"key-{number}", reject=True, pad="x" * 1000)
        await asyncio.sleep(0.1)
    await at(30)
    assert world.members[0].source.ahead < 100
    world.letters.failures = 0
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
    assert {"reason": "COMMIT_FAILING", "detail": "Kafka does not take commits"} in member.pipeline.problems()
    member.source.commit_failures = 0
    await world.settled()
    assert member.pipeline.problems() == []


async def test_a_new_assignment_ends_the_wait_for_a_commit_that_nobody_will_ever_make() -> None:
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


# 7. Holds


@pytest.mark.parametrize("status", [401, 403, 404, 301, 418, 204])
async def test_a_hold_dead_letters_nothing_and_ends_by_itself(status: int) -> None:
    world = World(delivery={"give_up_after": "30s"}, batch={"max_calls": 5})
    for number in range(40):
        world.add(f"key-{number}")
    member = world.member(until(200, Reply(status, json=status != 204)))
    await at(10)
    world.add(reject=True)
    await at(199)
    assert world.dead() == []
    assert world.delivered() == []
    assert [problem["reason"] for problem in member.pipeline.problems()] == [
        {401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND", 301: "REDIRECTED"}.get(
            status, "UNEXPECTED_ANSWER"
        )
    ]
    await world.settled()
    assert world.dead() == [(0, 40)]
    assert member.pipeline.problems() == []


async def test_a_hold_is_probed_with_another_batch_each_time_and_one_at_a_time() -> None:
    world = World(batch={"max_calls": 1, "linger": "0s"}, delivery={"max_requests_in_flight": 3})
    for number in range(10):
        world.add(f"key-{number}")
    world.member(always(401))
    await at(100)
    probes = world.account.requests[3:]
    assert len(probes) > 10
    for request, following in pairwise(probes):
        assert request.answered_at is not None
        assert request.answered_at <= following.sent_at
        assert request.ids != following.ids


async def test_everybody_waits_as_long_as_retry_after_says() -> None:
    world = World(batch={"max_calls": 1, "linger": "0s"}, rate_limit={"requests": 1, "per": "1s"})
    for number in range(10):
        world.add(f"key-{number}")
    world.member(in_turn(Reply(), Reply(), Reply(429, retry_after=60.0)))
    await world.settled()
    limited = world.account.requests[2]
    assert limited.answered_at is not None
    assert all(request.sent_at >= limited.answered_at + 60 for request in world.account.requests[3:])


# The storm breaker


async def test_a_storm_stops_everything_and_is_told() -> None:
    world = World(dead_letters={"halt_after_consecutive": 20})
    for number in range(500):
        world.add(f"key-{number}", reject=True)
    member = world.member()
    await at(100)
    assert len(world.dead()) == 20
    assert world.broker.committed[TOPIC, 0] == 20
    assert [problem["reason"] for problem in member.pipeline.problems()] == ["DEAD_LETTER_STORM"]
    sent = len(world.account.requests)
    world.add("good")
    await at(200)
    assert len(world.account.requests) == sent


async def test_nothing_that_waits_is_sent_in_a_storm() -> None:
    world = World(dead_letters={"halt_after_consecutive": 3}, batch={"linger": "10s"})
    world.add("good")
    world.member()
    await at(1)
    for _ in range(3):
        world.add(reject=True)
    await at(60)
    assert len(world.dead()) == 3
    assert world.account.requests == []


async def test_a_storm_in_the_middle_of_a_split_ends_it() -> None:
    world = World(dead_letters={"halt_after_consecutive": 3}, batch={"max_calls": 20})
    for number in range(20):
        world.add(f"key-{number}", poison=400)
    member = world.member()
    await at(100)
    assert len(world.dead()) == 3
    assert not await member.stop()


# Draining and ending


async def test_draining_delivers_and_commits_what_is_in_hand() -> None:
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
async def test_draining_ends_in_time_and_says_what_was_not_done(status: int) -> None:
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


async def test_without_any_partition_one_is_caught_up_at_once() -> None:
    world = World()
    world.member()
    await at(1)
    assert await world.member(until_caught_up=True).finished()


@pytest.mark.parametrize("trouble", ["hold", "storm"])
async def test_who_will_never_catch_up_says_so(trouble: str) -> None:
    world = World(dead_letters={"halt_after_consecutive": 2})
    for _ in range(5):
        world.add(reject=trouble == "storm")
    member = world.member(always(401), until_caught_up=True)
    assert not await member.finished()
    assert asyncio.get_running_loop().time() < 20


# Rebalances


async def test_a_revoke_waits_for_what_is_on_the_wire_and_commits_it() -> None:
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


async def test_nothing_more_is_sent_while_a_revoke_waits() -> None:
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


async def test_a_revoke_does_not_wait_for_a_retry_and_what_is_revoked_is_not_tried_again() -> None:
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


async def test_a_commit_under_way_does_not_touch_the_next_assignment_of_its_partition() -> None:
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


async def test_letters_of_a_revoked_partition_are_the_next_owners() -> None:
    world = World()
    world.add(reject=True)
    world.letters.failures = -1
    world.member()
    await at(5)
    world.broker.take_away([(TOPIC, 0)])
    await at(8)
    world.letters.failures = 0
    await at(20)
    assert world.dead() == []
    world.broker.give_back([(TOPIC, 0)])
    await world.settled()
    assert world.dead() == [(0, 0)]


async def test_who_drains_and_loses_its_partitions_does_not_wait_for_them() -> None:
    world = World(delivery={"retry_initial": "100s", "retry_max": "100s"})
    world.add()
    member = world.member(always(503))
    await at(5)
    member.pipeline.stop("SIGTERM")
    world.broker.take_away([(TOPIC, 0)])
    await member.finished()
    assert asyncio.get_running_loop().time() < 10


async def test_two_members_share_the_work_and_neither_sends_what_is_the_others() -> None:
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
