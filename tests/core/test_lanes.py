"""Lanes, one sentence at a time."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.lane_model import LINGER, LONGEST, MAX_BYTES, MAX_CALLS, new_lanes, queued_calls
from tests.support.memory_source import MemoryRecord
from tests.support.simulation import Key
from worker.core.lanes import Batch, Lanes, PartitionState
from worker.core.lanes.in_progress import Load
from worker.core.records import KEY, RECORD

ONE, OTHER = b'"context":{"ip":"1"}', b'"context":{"ip":"2"}'


def add(
    lanes: Lanes,
    state: PartitionState,
    offset: int,
    key: bytes | None,
    *calls: tuple[bytes, bytes],
    now: float = 0.0,
) -> None:
    lanes.add(state, queued_calls(MemoryRecord(state.partition, offset, key), calls or [(b"x", b"")]), now)
    state.accept(offset + 1, 1, 0)


def places(batch: Batch | None) -> list[tuple[int, int]]:
    assert batch is not None
    return [(record.offset(), index) for _, (_, _, record, index, *_) in batch.calls()]


def taken(lanes: Lanes) -> Batch:
    batch = lanes.take(0.0, draining=True)
    assert batch is not None
    return batch


@pytest.fixture
def lanes() -> Lanes:
    return new_lanes()


@pytest.fixture
def state(lanes: Lanes) -> PartitionState:
    return lanes.assign(("orders", 0), 0)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=30), st.integers(72, 200))
def test_a_body_is_as_full_as_its_calls_allow(lengths: list[int], max_bytes: int) -> None:
    """As many calls go into a request as fit, to the byte."""
    lanes = new_lanes(max_bytes=max_bytes, max_calls=1000)
    state = lanes.assign(("orders", 0), 0)
    for offset, length in enumerate(lengths):
        add(lanes, state, offset, b"k", (b"x" * length, b""))
    batch = taken(lanes)
    assert len(batch.body()) <= max_bytes
    if batch.count < len(lengths):
        assert len(batch.body()) + 1 + lengths[batch.count] > max_bytes


@pytest.mark.parametrize("too_long", [False, True])
def test_the_context_counts_with_its_comma(lanes: Lanes, state: PartitionState, too_long: bool) -> None:  # noqa: FBT001 - parametrized
    first = b"x" * 20
    room = MAX_BYTES - len(b'{"batch":[],}') - len(ONE) - len(first) - 1
    add(lanes, state, 0, b"k", (first, ONE), (b"y" * (room + too_long), ONE))
    batch = taken(lanes)
    assert batch.count == (1 if too_long else 2)
    assert batch.body().endswith(ONE + b"}")


def test_a_call_that_fills_a_body_alone_goes_without_its_context(lanes: Lanes, state: PartitionState) -> None:
    add(lanes, state, 0, b"k", (b"x" * LONGEST, b'"context":{}'))
    assert len(taken(lanes).body()) == MAX_BYTES


# Order


def test_calls_of_a_context_pass_others_of_which_none_has_their_key(
    lanes: Lanes, state: PartitionState
) -> None:
    add(lanes, state, 0, b"a", (b"a", ONE))
    add(lanes, state, 1, b"b", (b"b", OTHER))
    add(lanes, state, 2, b"b", (b"c", ONE))  # must not pass its own key's call
    add(lanes, state, 3, b"c", (b"d", ONE))  # may
    first = taken(lanes)
    assert places(first) == [(0, 0), (3, 0)]
    assert state.offsets.committable() == 0
    lanes.finish(first)
    assert state.offsets.committable() == 1
    assert places(taken(lanes)) == [(1, 0)]


def test_the_calls_of_a_record_without_a_key_keep_their_order(lanes: Lanes, state: PartitionState) -> None:
    add(lanes, state, 0, None, (b"a", ONE), (b"b", OTHER), (b"c", ONE))
    order = []
    while (batch := lanes.take(0.0, draining=True)) is not None:
        order.append(places(batch))
        assert lanes.take(0.0, draining=True) is None
        lanes.finish(batch)
    assert order == [[(0, 0)], [(0, 1)], [(0, 2)]]


def test_only_calls_whose_key_is_in_a_request_are_blocked(lanes: Lanes, state: PartitionState) -> None:
    add(lanes, state, 0, b"a")
    hung = taken(lanes)
    for offset, key in enumerate([b"b", b"a", b"c", None], 1):
        add(lanes, state, offset, key)
    assert places(taken(lanes)) == [(1, 0), (3, 0), (4, 0)]
    assert lanes.take(LINGER, draining=True) is None
    lanes.finish(hung)
    assert places(taken(lanes)) == [(2, 0)]


def test_calls_that_do_not_fit_stay_ahead_of_later_calls_of_their_key(
    lanes: Lanes, state: PartitionState
) -> None:
    for offset in range(MAX_CALLS + 2):
        add(lanes, state, offset, b"a")
    full = taken(lanes)
    add(lanes, state, MAX_CALLS + 2, b"a")
    lanes.finish(full)
    assert places(taken(lanes)) == [(offset, 0) for offset in range(MAX_CALLS, MAX_CALLS + 3)]


def test_calls_are_not_added_to_a_chunk_after_which_others_were_queued_that_are_blocked_now() -> None:
    """The chunk is older than those calls: what is added to it would overtake them when they are unblocked."""
    lanes = Lanes(max_bytes=10_000, max_calls=10, linger=1.0, max_in_flight=4)
    state, other = lanes.assign(("orders", 0), 0), lanes.assign(("orders", 1), 0)
    for each in (state, other):
        add(lanes, each, 0, b"k", now=10.0)
    request = taken(lanes)
    add(lanes, state, 1, b"free", now=10.03)
    add(lanes, other, 1, b"k", now=10.04)
    for offset in range(2, 12):
        add(lanes, state, offset, b"k", now=10.06)
    assert lanes.take(10.06) is None, "only one call is not blocked"
    add(lanes, state, 12, b"k", now=10.07)
    lanes.finish(request)
    sent = []
    while batch := lanes.take(10.07, draining=True):
        sent += [call[RECORD].offset() for of, call in batch.calls() if of is state and call[KEY] == b"k"]
        lanes.finish(batch)
    assert sent == list(range(2, 13))


def test_partitions_have_lanes_of_their_own(lanes: Lanes, state: PartitionState) -> None:
    other = lanes.assign(("orders", 1), 0)
    add(lanes, state, 0, b"k")
    first = taken(lanes)
    add(lanes, other, 0, b"k")
    assert places(taken(lanes)) == [(0, 0)]
    lanes.finish(first)
    assert state.offsets.committable() == 1
    assert other.offsets.committable() == 0
    assert not state.keys.sending
    assert other.keys.sending


def test_a_partition_that_is_revoked_twice_takes_nothing_from_others(
    lanes: Lanes, state: PartitionState
) -> None:
    other = lanes.assign(("orders", 1), 0)
    add(lanes, state, 0, b"k")
    lanes.revoke(state)
    add(lanes, other, 0, b"k")
    lanes.forget(state)
    assert places(taken(lanes)) == [(0, 0)]


# When


def test_a_call_waits_for_others_for_at_most_linger(lanes: Lanes, state: PartitionState) -> None:
    add(lanes, state, 0, b"k", now=10.0)
    assert lanes.next_due() == 10.0 + LINGER
    assert lanes.take(10.0 + LINGER - 0.001) is None
    batch = lanes.take(10.0 + LINGER)
    assert batch is not None
    assert batch.why == "linger"
    assert lanes.next_due() is None


def test_all_waiting_calls_are_sent_with_a_call_that_has_lingered(
    lanes: Lanes, state: PartitionState
) -> None:
    for offset in range(MAX_CALLS - 1):
        add(lanes, state, offset, b"%d" % offset, now=offset / 10)
    batch = lanes.take(LINGER)
    assert batch is not None
    assert batch.count == MAX_CALLS - 1
    add(lanes, state, MAX_CALLS, b"later", now=LINGER)
    assert lanes.take(LINGER) is None
    assert lanes.next_due() == LINGER + LINGER


def test_a_call_blocked_behind_a_request_is_due_by_its_own_arrival_time(
    lanes: Lanes, state: PartitionState
) -> None:
    add(lanes, state, 0, b"k")
    batch = taken(lanes)
    add(lanes, state, 1, b"k", now=LINGER + 0.5)
    add(lanes, state, 2, b"other", now=LINGER + 0.7)
    assert lanes.take(LINGER + 0.5 + LINGER) is None
    assert lanes.next_due() == LINGER + 0.7 + LINGER
    lanes.finish(batch)
    assert lanes.next_due() == LINGER + 0.5 + LINGER


def test_the_oldest_call_blocked_behind_a_request_determines_when_all_of_them_are_due(
    lanes: Lanes, state: PartitionState
) -> None:
    for offset, key in enumerate([b"a", b"b"]):
        add(lanes, state, offset, key)
    batch = taken(lanes)
    for offset, key in enumerate([b"a", b"b"], 2):
        add(lanes, state, offset, key, now=float(offset))
    lanes.finish(batch)
    assert lanes.next_due() == 2.0 + LINGER
    assert places(lanes.take(2.0 + LINGER)) == [(2, 0), (3, 0)]


@pytest.mark.parametrize("key", [b"k", None])
def test_a_full_request_does_not_linger(lanes: Lanes, state: PartitionState, key: bytes | None) -> None:
    for offset in range(MAX_CALLS - 1):
        add(lanes, state, offset, key)
    assert lanes.take(0.0) is None
    add(lanes, state, MAX_CALLS - 1, key)
    batch = lanes.take(0.0)
    assert len(places(batch)) == MAX_CALLS
    assert batch is not None
    assert batch.why == "full"


def test_a_request_takes_at_most_max_calls(lanes: Lanes, state: PartitionState) -> None:
    for offset in range(MAX_CALLS + 1):
        add(lanes, state, offset, b"k")
    batch = lanes.take(0.0)
    assert places(batch) == [(offset, 0) for offset in range(MAX_CALLS)]
    assert batch is not None
    assert batch.why == "full"
    lanes.finish(batch)
    assert places(lanes.take(LINGER)) == [(MAX_CALLS, 0)]


def test_the_call_that_waited_longest_goes_first(lanes: Lanes, state: PartitionState) -> None:
    add(lanes, state, 0, b"rare", (b"x", ONE))
    for offset in range(1, MAX_CALLS + 1):
        add(lanes, state, offset, b"%d" % offset, (b"x", OTHER), now=LINGER + 0.1)
    assert places(lanes.take(LINGER + 0.2)) == [(0, 0)]
    assert lanes.take(LINGER + 0.2)


def test_requests_are_full_while_there_is_a_backlog() -> None:
    chance = random.Random(1)
    lanes = new_lanes(max_bytes=20_000, max_calls=2000)
    states = [lanes.assign(("orders", number), 0) for number in range(4)]
    for offset in range(10_000):
        key = b"%d" % chance.randrange(2000)
        add(lanes, states[offset % 4], offset, key, (b"x" * chance.randint(50, 700), b""))
    fills, in_flight = [], []
    while not lanes.is_idle():
        batch = lanes.take(LINGER)
        if batch is not None:
            fills.append(len(batch.body()) / 20_000)
            in_flight.append(batch)
        if batch is None or len(in_flight) == 8:
            lanes.finish(in_flight.pop(chance.randrange(len(in_flight))))
    backlog = fills[: len(fills) * 3 // 4]
    assert sum(backlog) / len(backlog) >= 0.95


@pytest.mark.parametrize("keys", [60, 400])
def test_requests_are_nearly_full_in_a_backlog_of_few_keys(keys: int) -> None:
    lanes = new_lanes(max_bytes=475_000, max_calls=50, max_in_flight=8)
    state = lanes.assign(("orders", 0), 0)
    for offset in range(2000):
        add(lanes, state, offset, Key(b"%d" % (offset * 7919 % keys)))
    in_flight = [taken(lanes) for _ in range(8)]
    assert sum(batch.count for batch in in_flight) >= 0.75 * 8 * 50


def test_calls_left_in_a_queue_after_other_keys_were_preferred_stay_ordered_by_age() -> None:
    lanes = new_lanes(max_bytes=475_000, max_calls=50, max_in_flight=8)
    state = lanes.assign(("orders", 0), 0)
    for offset in range(600):
        add(lanes, state, offset, Key(b"%d" % offset), now=offset / 10)
    for _ in range(4):
        taken(lanes)
        ages = [chunk.since for chunk in lanes.queues[b""].chunks]
        assert ages == sorted(ages)


# Fairness


def test_a_call_with_a_rare_context_is_not_starved(lanes: Lanes, state: PartitionState) -> None:
    for offset in range(MAX_CALLS + 1):
        add(lanes, state, offset, b"%d" % offset, (b"x", ONE))
    add(lanes, state, 1000, b"rare", (b"x", OTHER), now=0.1)
    offset, now = 1001, 0.1
    while True:
        batch = lanes.take(now := now + 0.2)
        assert batch is not None
        assert now < 3, "it still waits"
        if batch.context == OTHER:
            break
        lanes.finish(batch)
        for _ in range(MAX_CALLS):
            add(lanes, state, offset := offset + 1, b"%d" % offset, (b"x", ONE), now=now)


def test_a_key_that_always_has_calls_does_not_starve_other_keys(lanes: Lanes, state: PartitionState) -> None:
    for offset in range(3 * MAX_CALLS):
        add(lanes, state, offset, b"hot")
    offset, now = 1000, 0.0
    batch = taken(lanes)
    add(lanes, state, offset, b"cold", now=0.1)
    while b"cold" not in {call[KEY] for _, call in batch.calls()}:
        assert now < 3, "it still waits"
        now += 0.2
        for _ in range(MAX_CALLS):
            add(lanes, state, offset := offset + 1, b"hot", now=now)
        lanes.finish(batch)
        batch = taken(lanes)


# Splits


def test_a_batch_is_split_between_keys(lanes: Lanes, state: PartitionState) -> None:
    for offset, key in enumerate([b"a", b"b", b"a", b"b"]):
        add(lanes, state, offset, key)
    first, second = taken(lanes).split()
    assert places(first) == [(0, 0), (2, 0)]
    assert places(second) == [(1, 0), (3, 0)]
    add(lanes, state, 4, b"b")
    lanes.finish(second)
    assert places(taken(lanes)) == [(4, 0)]
    assert state.offsets.committable() == 0


def test_a_lane_that_two_halves_share_is_free_when_both_are_finished(
    lanes: Lanes, state: PartitionState
) -> None:
    add(lanes, state, 0, b"k", (b"x", b""), (b"y", b""))
    batch = taken(lanes)
    add(lanes, state, 1, b"k")
    first, second = batch.split()
    lanes.finish(first)
    assert lanes.take(LINGER, draining=True) is None
    assert state.offsets.committable() == 0
    lanes.finish(second)
    assert places(taken(lanes)) == [(1, 0)]


# Offsets


def test_nothing_commits_past_a_dead_letter_until_it_is_acknowledged() -> None:
    state = new_lanes().assign(("orders", 0), 0)
    state.accept(10, 10, 0)
    assert state.offsets.reject(3)
    assert state.offsets.reject(5)
    state.offsets.dead_letter_acknowledged(5)
    assert state.offsets.committable() == 3
    state.offsets.dead_letter_acknowledged(3)
    assert state.offsets.committable() == 10


def test_a_record_is_rejected_once_until_it_is_committed() -> None:
    state = new_lanes().assign(("orders", 0), 0)
    assert state.offsets.reject(3)
    assert not state.offsets.reject(3)
    state.offsets.dead_letter_acknowledged(3)
    assert not state.offsets.reject(3)
    state.commit(4)
    assert state.offsets.reject(3)


def test_a_slice_is_in_progress_until_all_of_it_is_committed() -> None:
    state = new_lanes().assign(("orders", 0), 0)
    state.accept(10, 10, 100)
    state.accept(25, 5, 70)
    state.commit(9)
    assert (state.in_progress.records, state.in_progress.size) == (15, 170)
    state.commit(10)
    assert (state.in_progress.records, state.in_progress.size) == (5, 70)
    state.commit(25)
    assert (state.in_progress.records, state.in_progress.size) == (0, 0)


def test_what_is_in_progress_is_summed_over_the_current_assignments() -> None:
    lanes = new_lanes()
    first, second = lanes.assign(("orders", 0), 0), lanes.assign(("orders", 1), 0)
    first.accept(10, 10, 100)
    second.accept(5, 5, 50)
    assert lanes.in_progress == Load(15, 150)
    second.commit(5)
    assert lanes.in_progress == Load(10, 100)
    lanes.revoke(first)
    assert lanes.in_progress == Load(10, 100)  # until it is forgotten: it still holds its commit back
    lanes.forget(first)
    assert lanes.in_progress == Load()
    first.commit(10)
    assert lanes.in_progress == Load()


def test_an_assignment_in_place_of_another_is_counted_alone() -> None:
    lanes = new_lanes()
    before = lanes.assign(("orders", 0), 0)
    before.accept(10, 10, 100)
    lanes.assign(("orders", 0), 4).accept(5, 1, 30)
    before.commit(10)
    lanes.forget(before)
    assert lanes.in_progress == Load(1, 30)


def test_the_share_of_the_oldest_call_is_taken_first() -> None:
    keys = sorted((b"%d" % number for number in range(100)), key=lambda key: hash(key) % 2)
    for older, younger in ((keys[0], keys[-1]), (keys[-1], keys[0])):
        lanes = new_lanes(max_calls=2, max_in_flight=2)
        state = lanes.assign(("orders", 0), 0)
        calls = [
            call
            for offset, key in enumerate([older, younger, younger, older])
            for call in queued_calls(MemoryRecord(state.partition, offset, key), [(b"x", b"")])
        ]
        lanes.add(state, calls, 0.0)
        assert places(taken(lanes)) == [(0, 0), (3, 0)]
        assert places(taken(lanes)) == [(1, 0), (2, 0)]


def test_a_call_left_in_a_queue_does_not_hold_back_finished_calls_of_its_chunk() -> None:
    lanes = new_lanes(max_calls=1)
    state = lanes.assign(("orders", 0), 0)
    records = [MemoryRecord(state.partition, offset, key) for offset, key in enumerate([b"a", b"a", b"b"])]
    lanes.add(state, [call for record in records for call in queued_calls(record, [(b"x", b"")])], 0.0)
    state.accept(3, 3, 0)
    lanes.finish(taken(lanes))
    first, second = taken(lanes), taken(lanes)
    assert sorted(places(first) + places(second)) == [(1, 0), (2, 0)]
    lanes.finish(first if places(first) == [(1, 0)] else second)
    assert state.offsets.committable() == 2


def test_the_next_offset_never_moves_back() -> None:
    state = new_lanes().assign(("orders", 0), 0)
    state.offsets.advance(5)
    state.offsets.advance(3)
    assert state.offsets.next_offset == 5
    assert state.offsets.committable() == 5


def test_calls_of_an_older_record_hold_the_commit_back_although_younger_ones_were_queued_before(
    lanes: Lanes, state: PartitionState
) -> None:
    older = MemoryRecord(state.partition, 2, b"a")
    state.offsets.set_aside(older)
    add(lanes, state, 5, b"b")
    lanes.add(state, queued_calls(older, [(b"x", b"")]), 0.0, late=True)
    state.accept_late([2], 1)
    assert state.offsets.committable() == 2
    lanes.finish(taken(lanes))
    assert state.offsets.committable() == 6
