from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from worker.core.group_share import COUNT_SECONDS, LATE_SECONDS, GroupShare, GroupWindow, Share
from worker.core.records import Partition

PER, REFRESH, REQUESTS, SESSION, MARGIN, TICK = 3.0, 8.0, 12, 6.0, 2.0, 0.25
"""Sums of quarters are exact, so that limits are met to the point."""

PARTITIONS: list[Partition] = [
    ("orders", 0),
    ("orders", 1),
    ("orders", 2),
    ("people", 0),
    ("people", 1),
    ("new", 0),
]


def settled(share: GroupShare, partitions: list[Partition], now: float) -> None:
    """Have the member count these again and again for so long that they count."""
    at = now - REFRESH - COUNT_SECONDS - PER
    while at <= now:
        share.counted(partitions, at, at)
        at += 1.0
    share.owned_until(math.inf, MARGIN)


def member(owned: int, of: int = 4, *, requests: int = REQUESTS) -> GroupShare:
    """A member that owns so many of so many partitions at 0, and all count."""
    share = GroupShare(requests, PER, REFRESH)
    partitions: list[Partition] = [("orders", number) for number in range(of)]
    settled(share, partitions, 0.0)
    share.assigned(partitions[:owned], -PER)
    return share


# The law, by example


@pytest.mark.parametrize(("owned", "whole"), [(0, 0), (1, 3), (2, 6), (4, 12)])
def test_a_member_may_spend_the_share_of_its_partitions(owned: int, whole: int) -> None:
    assert member(owned).at(0.0).whole == whole


def test_shares_of_partitions_add_up_before_they_are_rounded_down() -> None:
    assert member(1, 4, requests=10).at(0.0).whole == 2
    assert member(2, 4, requests=10).at(0.0).whole == 5


def test_a_partition_counts_from_one_window_after_its_assignment_on() -> None:
    share = member(1)
    share.assigned([("orders", 1)], 0.5)
    assert share.at(0.5).owned == 1
    assert share.changes_at(0.5) == 1.0, "it is computed again from time to time"
    share.still_counted(3.0)
    assert (share.at(0.5 + PER - TICK).owned, share.at(0.5 + PER).owned) == (1, 2)


def test_a_partition_does_not_count_from_its_revocation_on() -> None:
    share = member(2)
    share.revoked([("orders", 1)])
    assert share.at(0.0).owned == 1
    share.assigned([("orders", 1)], 0.0)
    assert share.at(0.0).owned == 1


def count(share: GroupShare, partitions: list[Partition], start: float, end: float) -> None:
    """Count the same partitions once a second."""
    at = start
    while at <= end:
        share.counted(partitions, at, at)
        at += 1.0


def test_a_share_shrinks_at_once_when_there_are_more_partitions_and_new_ones_count_later() -> None:
    share = member(4)
    more: list[Partition] = [("orders", number) for number in range(6)]
    share.assigned(more[4:], 0.0)
    share.counted(more, 1.0, 1.0)
    assert (share.at(1.0).owned, share.at(1.0).of) == (4, 6)
    count(share, more, 2.0, 12.0)
    assert (share.at(1.0 + REFRESH + PER - TICK).owned, share.at(1.0 + REFRESH + PER).owned) == (4, 6)


def test_a_share_grows_later_when_there_are_fewer_partitions_and_the_deleted_do_not_count_at_once() -> None:
    share = member(4)
    fewer: list[Partition] = [("orders", number) for number in range(2)]
    share.counted(fewer, 1.0, 1.0)
    assert (share.at(1.0).owned, share.at(1.0).of) == (2, 4)
    count(share, fewer, 2.0, 12.0)
    assert (share.at(1.0 + REFRESH + PER - TICK).of, share.at(1.0 + REFRESH + PER).of) == (4, 2)


def test_a_member_that_starts_cannot_know_how_old_partitions_are_and_waits_for_one_count_of_the_others() -> (
    None
):
    share = GroupShare(REQUESTS, PER, REFRESH)
    share.owned_until(math.inf, MARGIN)
    share.assigned(PARTITIONS, 0.0)
    count(share, PARTITIONS, 0.0, 8.0)
    assert (share.at(COUNT_SECONDS + PER - TICK).owned, share.at(COUNT_SECONDS + PER).owned) == (0, 6)


def test_a_partition_must_still_be_there_one_count_later() -> None:
    share = GroupShare(REQUESTS, PER, REFRESH)
    share.owned_until(math.inf, MARGIN)
    share.assigned(PARTITIONS, 0.0)
    for at in (0.0, COUNT_SECONDS - TICK):
        share.counted(PARTITIONS, at, at)
    assert share.at(COUNT_SECONDS + PER).owned == 0
    share.counted(PARTITIONS, COUNT_SECONDS + PER, COUNT_SECONDS + PER)
    assert share.at(COUNT_SECONDS + PER).owned == len(PARTITIONS)


def test_nothing_is_sent_without_a_recent_count_and_nothing_stays_in_flight_either() -> None:
    share = member(4)
    assert share.at(COUNT_SECONDS - 1.5 - TICK).owned == 4
    assert share.at(COUNT_SECONDS - 1.5).owned == 0
    assert share.most_in_flight(COUNT_SECONDS - 1.0 - TICK) == REQUESTS
    assert share.most_in_flight(COUNT_SECONDS - 1.0) == 0


def test_after_a_gap_without_counts_a_member_begins_anew() -> None:
    share = member(4)
    partitions: list[Partition] = [("orders", number) for number in range(4)]
    count(share, partitions, 20.0, 29.0)
    assert (
        share.at(20.0 + COUNT_SECONDS + PER - TICK).owned,
        share.at(20.0 + COUNT_SECONDS + PER).owned,
    ) == (0, 4)


def test_a_member_that_may_lose_its_partitions_stops_before_and_ends_what_is_in_flight() -> None:
    share = member(4)
    share.owned_until(3.0, MARGIN)
    assert (share.at(1.0 - TICK).owned, share.at(1.0).owned) == (4, 0)
    assert (share.most_in_flight(2.0 - TICK), share.most_in_flight(2.0)) == (REQUESTS, 0)
    assert share.changes_at(1.0) == math.inf


def test_a_share_below_one_sends_one_request_in_a_proportionally_longer_time() -> None:
    share = member(1, 4, requests=2)
    window = GroupWindow(share, PER)
    share.at(0.0)
    sent = []
    for quarter in range(1000):
        now = quarter * TICK
        share.still_counted(now)
        if window.wait(now) == 0:
            sent.append(now)
            window.enter()
            assert window.wait(now) > 0, "it depends on the response"
            window.leave(now)
    assert sent == [6.0 * n for n in range(1, len(sent) + 1)], "half a request in 3 s is one in 6 s"
    assert len(sent) == 41


def test_a_share_below_one_covers_one_request_in_flight_and_no_share_none() -> None:
    assert Share(2, 1, 4).most_in_flight == 1
    assert Share(2, 0, 4).most_in_flight == 0
    assert Share(20, 1, 4).most_in_flight == 5
    assert Share(2, 0, 4).windows == math.inf


def test_a_window_that_shrank_waits_for_as_many_slots_as_it_takes() -> None:
    share = member(2)
    window = GroupWindow(share, PER)
    for n in range(6):
        assert window.wait(0.0) == 0
        window.enter()
        window.leave(n * TICK)
    share.revoked([("orders", 1)])
    share.still_counted(2.0)
    wait = window.wait(2.0)
    while wait and 2.0 + wait < 3 * TICK + PER:
        wait += window.wait(2.0 + wait)
    assert 2.0 + wait == 3 * TICK + PER, "three of six remain"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 80)), min_size=1, max_size=20))
def test_however_a_small_share_changes_each_request_is_backed_by_a_whole_one(
    steps: list[tuple[int, int]],
) -> None:
    """The sum of the share over time is never below the number of requests."""
    share = GroupShare(1, PER, REFRESH)
    settled(share, PARTITIONS, 0.0)
    window, now, owned, earned, sent = GroupWindow(share, PER), 0.0, 0, 0.0, 0
    for wanted, quarters in steps:
        share.revoked(PARTITIONS[wanted:owned])
        share.assigned(PARTITIONS[owned:wanted], now - PER)
        owned = wanted
        for _ in range(quarters):
            share.still_counted(now)
            while window.wait(now) == 0:
                window.enter()
                window.leave(now)
                sent += 1
            assert sent <= earned + 1e-9
            earned += owned / len(PARTITIONS) * TICK / PER
            now += TICK


# The whole group


@dataclass(eq=False)
class Member:
    """A member, its requests, and what it does not know yet.

    Attributes:
        in_flight: requests that may still arrive.
        arriving: of these, when those arrive whose connections were closed.
    """

    share: GroupShare = field(default_factory=lambda: GroupShare(REQUESTS, PER, REFRESH))
    in_flight: int = 0
    arriving: list[float] = field(default_factory=list)
    quick: bool = True
    contact_at: float = -math.inf
    counting: tuple[list[Partition], float] | None = None
    untold: set[Partition] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.window = GroupWindow(self.share, PER)


class Group(RuleBasedStateMachine):
    """Members send whenever they may, and the API counts. Requests arrive when they get their responses, or as late as
    possible after their connections were closed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.members: list[Member] = []
        self.existing: set[Partition] = set(PARTITIONS[:4])
        self.owners: dict[Partition, Member] = {}
        self.arrivals: list[float] = []

    @initialize(numbers=st.lists(st.integers(0, 1), min_size=4, max_size=4), passed=st.booleans())
    def two_members(self, numbers: list[int], passed: bool) -> None:  # noqa: FBT001 - drawn
        self.members = [Member(), Member()]
        for partition, number in zip(PARTITIONS, numbers, strict=False):
            self.own(partition, self.members[number])
        for each in self.members:
            self.hear(each)
        if passed:
            self.pass_by(48)

    # What happens

    @rule(quarters=st.sampled_from([1, 2, 4, 8, 12, 13, 20, 48]), unseen=st.integers(0, 3))
    def pass_by(self, quarters: int, unseen: int = 9) -> None:
        """Time goes on; all but one of the members count and have contact meanwhile."""
        for _ in range(quarters):
            self.now += TICK
            for number, each in enumerate(self.members):
                if number != unseen and self.now % 1.0 == 0:
                    self.hear(each)
            self.work()

    @rule(number=st.integers(0, 3))
    def ask(self, number: int) -> None:
        """A member asks for the partitions; the answer may take a while."""
        if number < len(self.members):
            self.members[number].counting = sorted(self.existing), self.now

    @rule()
    def answer(self) -> None:
        for each in self.members:
            if each.counting is not None:
                each.share.counted(*each.counting, self.now)
                each.counting = None
        self.work()

    @precondition(lambda self: len(self.members) < 4)
    @rule()
    def join(self) -> None:
        self.members.append(Member())
        self.hear(self.members[-1])

    @rule(partition=st.sampled_from(PARTITIONS), number=st.integers(0, 3))
    def move(self, partition: Partition, number: int) -> None:
        """A rebalance: the owner gives a partition up, another gets it."""
        owner = self.owners.get(partition)
        if owner is not None:
            if not self.is_connected(owner) or owner.arriving:
                return  # in the second case the revoke takes longer
            owner.share.revoked([partition])
            self.end(owner, self.excess(owner))
            del self.owners[partition]
        if partition in self.existing and number < len(self.members):
            self.own(partition, self.members[number])

    @rule(number=st.integers(0, 3))
    def expire(self, number: int) -> None:
        """The session of a member is over, if it is: others get its partitions, and it does not know."""
        others = [each for each in self.members if self.is_connected(each)]
        if number < len(self.members) and not self.is_connected(member := self.members[number]):
            for partition in [each for each, owner in self.owners.items() if owner is member]:
                del self.owners[partition]
                member.untold.add(partition)
                if others and partition in self.existing:
                    self.own(partition, others[0])

    @rule(number=st.integers(0, 1))
    def slow_down(self, number: int) -> None:
        """From now on the requests of a member stay in flight, or arrive at once again."""
        self.members[number].quick = not self.members[number].quick

    @rule(partition=st.sampled_from(PARTITIONS))
    def create(self, partition: Partition) -> None:
        self.existing.add(partition)

    @rule(partition=st.sampled_from(PARTITIONS), quarters=st.integers(10, 50), newcomer=st.booleans())
    def grow_unseen(self, partition: Partition, quarters: int, newcomer: bool) -> None:  # noqa: FBT001 - drawn
        """A partition is created and assigned while one member does not hear of it for a while."""
        for each in self.members:
            self.hear(each)
        if partition in self.existing:
            return
        self.create(partition)
        if newcomer and len(self.members) < 4:
            self.join()
        self.hear(self.members[-1])
        self.own(partition, self.members[-1])
        self.pass_by(quarters, unseen=0)
        self.slow_down(0)
        self.hear(self.members[0])

    @rule(number=st.integers(0, 1), quarters=st.integers(10, 40))
    def cut_off(self, number: int, quarters: int) -> None:
        """A member has no contact until its session is over; another gets its partitions."""
        self.pass_by(quarters, unseen=number)
        self.expire(number)
        self.pass_by(16, unseen=number)

    @rule(partition=st.sampled_from(PARTITIONS), quarters=st.integers(1, 40))
    def delete_unseen(self, partition: Partition, quarters: int) -> None:
        """A partition is deleted while its owner does not hear of it for a while."""
        for each in self.members:
            self.hear(each)
        owner = self.owners.get(partition)
        self.delete(partition)
        if owner is not None:
            self.pass_by(quarters, unseen=self.members.index(owner))

    @rule(partition=st.sampled_from(PARTITIONS))
    def delete(self, partition: Partition) -> None:
        """The owner hears of it with its next contact."""
        self.existing.discard(partition)
        if (owner := self.owners.pop(partition, None)) is not None:
            owner.untold.add(partition)

    # How it works

    def own(self, partition: Partition, member: Member) -> None:
        self.owners[partition] = member
        member.untold.discard(partition)
        member.share.assigned([partition], self.now)

    def is_connected(self, member: Member) -> bool:
        return self.now < member.contact_at + SESSION

    def hear(self, member: Member) -> None:
        """The member has contact with its brokers: it counts, and learns what it has lost."""
        if member.untold:
            member.share.revoked(member.untold)
            member.untold.clear()
        self.close_excess(member)
        member.contact_at = self.now
        member.share.owned_until(self.now + SESSION, MARGIN)
        member.share.counted(sorted(self.existing), self.now, self.now)

    def work(self) -> None:
        """Every member sends what it may, and closes the connections of what must not be in flight any more."""
        for each in self.members:
            self.end(each, sum(at <= self.now for at in each.arriving))
            each.arriving = [at for at in each.arriving if at > self.now]
            self.close_excess(each)
            if each.quick:
                self.end(each, each.in_flight - len(each.arriving))
            while each.window.wait(self.now) == 0 and each.in_flight <= REQUESTS:
                each.window.enter()
                each.in_flight += 1
                if each.quick:
                    self.end(each, 1)

    def excess(self, member: Member) -> int:
        allowed = member.share.most_in_flight(self.now)
        return max(0, member.in_flight - max(allowed, len(member.arriving)))

    def close_excess(self, member: Member) -> None:
        member.arriving += [self.now + LATE_SECONDS] * self.excess(member)

    def end(self, member: Member, n: int) -> None:
        for _ in range(n):
            self.arrivals.append(self.now)
            member.in_flight -= 1
            member.window.leave(self.now)

    @invariant()
    def no_window_sees_more_than_the_limit(self) -> None:
        for first, later in zip(self.arrivals, self.arrivals[REQUESTS:], strict=False):
            assert later - first >= PER, f"{REQUESTS + 1} requests from {first} to {later}"


Group.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestGroup = pytest.mark.no_cover(Group.TestCase)  # runs through the same lines a hundred times
