"""`rate_limit.scope: group` on virtual time: members come, go, lose their broker; partitions come; one API counts."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable

import pytest

from tests.support.scripted_api import Reply
from tests.support.simulation import TOPIC, Member, World, always, at
from worker.core.group_share import LATE_SECONDS

SIMULATIONS = int(os.environ.get("SIMULATIONS", "50")) // 10
SECONDS = 100.0


def world(partitions: int = 4, requests: int = 12, **settings: object) -> World:
    """Small batches, so that the rate limit is what everything waits for."""
    return World(
        partitions,
        batch={"max_calls": 1, "linger": "0s"},
        rate_limit={"requests": requests, "per": "1s", "scope": "group"},
        kafka={"properties": {"topic.metadata.refresh.interval.ms": 6000}},
        **settings,  # type: ignore[arg-type]
    )


def backlog(small: World, records: int = 1000) -> None:
    """More than can be sent."""
    for n in range(records):
        small.add(f"key-{n}", partition=n % len(small.broker.logs))


async def happens(condition: Callable[[], object]) -> float:
    """Wait for it; returns when it happened."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - there is no event for each condition
            await asyncio.sleep(0.01)
    return asyncio.get_running_loop().time()


def sent(member: Member, since: float, until: float) -> int:
    return sum(since <= each < until for each in member.api.account.arrivals(member.api))


async def test_one_member_spends_all_of_it_and_two_a_half_each() -> None:
    small = world()
    backlog(small)
    first = small.member(always(200))
    await at(20)
    second = small.member(always(200))
    await at(60)
    small.check()
    assert sent(first, 0, 5) == 0, "one count of the others and one window"
    assert 90 <= sent(first, 10, 20) <= 120
    assert sent(second, 20, 25) == 0
    for member in (first, second):
        assert 0.75 * 180 <= sent(member, 30, 60) <= 180
        assert member.pipeline.observation().rate_limit_share == 6


async def test_a_revoke_leaves_no_requests_in_flight_that_the_smaller_share_does_not_cover() -> None:
    """Even if they are all of partitions that do not move."""
    small = world(requests=4)
    first = small.member(lambda _: Reply(before=10.0, after=0.0))
    await at(15)
    for n in range(4):
        small.add(f"key-{n}", partition=0)
    await at(16)
    assert first.pipeline.observation().in_flight_requests == 4
    for n in range(200):
        small.add(f"key-{n}", partition=1)
    small.member(always(200))
    await at(60)
    small.check()
    early = [each for each in small.account.requests if each.sent_at < 16]
    assert len(early) == 4
    assert all(each.status == 200 for each in early), "none was ended early"


async def test_a_member_whose_ownership_is_not_confirmed_has_no_share() -> None:
    small = world()
    member = small.member(always(200))
    member.source.session_timeout = 9.0
    await at(20)
    member.source.commit_failures = -1
    await at(22)
    assert member.pipeline.observation().rate_limit_share == 12
    await at(26)
    assert member.pipeline.observation().rate_limit_share == 0
    assert [each["reason"] for each in member.pipeline.problems()] == ["MEMBERSHIP_UNCONFIRMED"]
    member.source.commit_failures = 0
    await at(28)
    assert member.pipeline.observation().rate_limit_share == 12


async def test_a_member_that_cannot_count_the_partitions_has_no_share() -> None:
    small = world()
    member = small.member(always(200))
    await at(20)
    member.source.counts = False
    await at(26)
    assert member.pipeline.observation().rate_limit_share == 0


async def test_a_member_that_has_lost_partitions_has_less_of_the_limit() -> None:
    small = world()
    member = small.member(always(200))
    await at(20)
    some = [(TOPIC, 0), (TOPIC, 1)]
    small.broker.take_away(some)
    member.source.lose(some)
    await at(21)
    assert member.pipeline.observation().rate_limit_share == 6


async def test_a_member_without_its_broker_stops_before_others_own_its_partitions() -> None:
    small = world()
    small.account.concurrent = True
    backlog(small)
    # A request without an answer arrives at the last moment.
    first = small.member(lambda _: Reply(before=0.05, after=0.0))
    second = small.member(always(200))
    for member in (first, second):
        member.source.session_timeout = 9.0
    await at(30)
    first.api.script = lambda _: Reply(before=10.0, after=0.0)
    first.source.cut_off()
    await at(60)
    small.check()
    assert sent(first, 31, 60) == 0, "what was in flight was ended"
    assert [each["reason"] for each in first.pipeline.problems()][-1] == "MEMBERSHIP_UNCONFIRMED"
    assert 0.75 * 12 * 10 <= sent(second, 50, 60) <= 120, "the other has it all"
    first.api.script = always(200)
    first.source.reconnect()
    await at(100)
    small.check()
    assert 0.7 * 60 <= sent(first, 90, 100) <= 60


async def test_a_request_whose_connection_was_closed_counts_as_long_as_it_may_arrive() -> None:
    small = world(requests=4)
    backlog(small, 200)
    member = small.member(lambda _: Reply(before=0.05 if asyncio.get_running_loop().time() > 22 else 30.0))
    member.api.late = lambda: LATE_SECONDS
    member.source.session_timeout = 9.0
    await at(20)
    stuck = list(small.account.in_flight)
    assert len(stuck) == 4
    member.source.commit_failures = -1
    assert await happens(lambda: small.account.in_flight != stuck) < 26, "their connections were closed"
    member.source.commit_failures = 0
    await at(40)
    small.check()
    assert 0.75 * 4 * 10 <= sent(member, 30, 40) <= 40


async def test_a_revoke_waits_until_closed_connections_are_through() -> None:
    """The member is about to lose its ownership while the revoke waits for responses."""
    small = world(requests=4)
    first = small.member(lambda _: Reply(before=30.0))
    first.api.late = lambda: LATE_SECONDS
    first.source.session_timeout = 9.0
    backlog(small, 200)
    await at(20)
    first.source.commit_failures = -1
    second = small.member(always(200))
    closed_at = await happens(lambda: not small.account.in_flight)
    assert closed_at < 26
    assert await happens(lambda: second.source.positions) >= closed_at + LATE_SECONDS
    first.api.script = always(200)
    first.source.commit_failures = 0
    await at(50)
    small.check()
    assert len(second.source.positions) == 2


async def test_an_idle_member_stays_confirmed_without_commits() -> None:
    small = world()
    member = small.member(always(200))
    member.source.session_timeout = 6.0
    await at(60)
    assert member.pipeline.observation().rate_limit_share == 12
    assert 0 < member.source.confirmations <= 60


async def test_new_partitions_shrink_the_shares_at_once_and_count_later() -> None:
    small = world()
    backlog(small)
    member = small.member(always(200))
    await at(20)
    small.broker.create_topic(TOPIC, 6)
    await at(22)
    assert member.pipeline.observation().rate_limit_share == 8
    await at(30)
    assert member.pipeline.observation().rate_limit_share == 12
    small.check()


async def test_a_share_below_one_still_sends() -> None:
    small = world(partitions=4, requests=1)
    backlog(small, 100)
    members = [small.member(always(200)) for _ in range(4)]
    await at(60)
    for member in members:
        assert 8 <= sent(member, 10, 50) <= 10, "one in 4 s"


class Chaos:
    """Random happenings under a backlog."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.small = world(self.chance.choice([2, 4, 6]), self.chance.choice([8, 12, 30]))
        self.small.account.concurrent = True
        backlog(self.small)

    def answer(self, _: object) -> Reply:
        slow = self.chance.random() < 0.05
        return Reply(
            status=self.chance.choice([200, 200, 200, 200, 503, 429]),
            before=self.chance.random() * (8 if slow else 0.3),
            after=self.chance.random() * 0.3,
        )

    def join(self) -> None:
        member = self.small.member(self.answer)
        member.api.late = lambda: self.chance.random() * LATE_SECONDS
        member.source.session_timeout = 9.0

    @property
    def working(self) -> list[Member]:
        return [each for each in self.small.members if each.is_running]

    async def happen(self) -> None:
        await asyncio.sleep(self.chance.random() * 6)
        member = self.chance.choice(self.working)
        some = [each for each in self.small.broker.logs if self.chance.random() < 0.4]
        match self.chance.randrange(8):
            case 0 | 1 if len(self.working) < 4:
                self.join()
            case 2 if len(self.working) > 1:
                await (member.stop() if self.chance.random() < 0.5 else member.stop_at_once())
            case 3:
                self.small.broker.take_away(some)
            case 4:
                self.small.broker.give_back(self.small.broker.logs)
            case 5:
                member.source.cut_off()
            case 6:
                for each in self.working:
                    each.source.reconnect()
            case 7 if len(self.small.broker.logs) < 8:
                self.small.broker.create_topic(TOPIC, len(self.small.broker.logs) + 1)

    async def run(self) -> None:
        self.join()
        self.join()
        while asyncio.get_running_loop().time() < SECONDS:
            await self.happen()
            self.small.check()
        assert self.small.account.requests


@pytest.mark.parametrize("seed", range(SIMULATIONS))
async def test_no_window_sees_more_than_the_limit_of_the_group(seed: int) -> None:
    await Chaos(seed).run()
