"""Promises 5 and 7 of contract.md section 4: bad calls, a broken API, a wrong key, a storm."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from tests.support.scripted_api import Reply
from tests.support.simulation import TOPIC, World, always, at, in_turn, until

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
    dead_letter = world.dead_letters.written[0]
    assert (dead_letter.stage, dead_letter.reason, dead_letter.status) == (
        "deliver",
        f"HTTP_{status}",
        status,
    )
    assert (dead_letter.call_index, dead_letter.rule) == (0, "rules.yaml:1")


async def test_the_other_calls_of_a_record_are_sent_if_one_is_refused() -> None:
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
    assert world.dead_letters.written[0].attempts > 3


async def test_a_bad_call_that_blocks_all_others_is_found() -> None:
    """No other batch can pass: every call outside its batch is blocked behind it."""
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


async def test_many_bad_calls_do_not_delay_good_ones() -> None:
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


async def test_a_long_outage_dead_letters_nothing() -> None:
    world = World()
    for number in range(10):
        world.add(f"key-{number}")
    member = world.member(until(2000, Reply(503)))
    await world.settled()
    assert world.dead() == []
    assert len(world.account.requests) < 2000 / 2  # at most five seconds between two probes
    assert member.telemetry.of("request_retried")


async def test_calls_that_still_fail_after_give_up_after_are_dead_lettered() -> None:
    world = World(delivery={"give_up_after": "30s"})
    world.may_give_up = True
    world.add("a")
    world.add("b")
    world.member(always(503))
    await world.settled(within=60)
    assert sorted(world.dead()) == [(0, 0), (0, 1)]
    assert asyncio.get_running_loop().time() >= 30


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


async def test_all_requests_wait_for_retry_after() -> None:
    world = World(batch={"max_calls": 1, "linger": "0s"}, rate_limit={"requests": 1, "per": "1s"})
    for number in range(10):
        world.add(f"key-{number}")
    world.member(in_turn(Reply(), Reply(), Reply(429, retry_after=60.0)))
    await world.settled()
    limited = world.account.requests[2]
    assert limited.answered_at is not None
    assert all(request.sent_at >= limited.answered_at + 60 for request in world.account.requests[3:])


# The storm breaker


async def test_a_storm_stops_delivery_and_is_reported() -> None:
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


async def test_no_waiting_call_is_sent_in_a_storm() -> None:
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
