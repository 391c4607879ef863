"""Lanes, one sentence at a time."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.lane_model import LINGER, LONGEST, MAX_BYTES, MAX_CALLS, new_lanes
from tests.support.memory_source import MemoryRecord
from worker.core.lanes import LANES, Batch, Lanes, Track


def add(lanes: Lanes, track: Track, offset: int, key: bytes | None, *calls: tuple[bytes, bytes]) -> None:
    lanes.add(track, MemoryRecord(track.partition, offset, key), calls, 0.0)


def places(batch: Batch | None) -> list[tuple[int, int]]:
    assert batch is not None
    return [(record.offset(), index) for _, record, index in batch.calls]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=30), st.integers(72, 200))
def test_a_body_is_as_full_as_its_calls_allow(lengths: list[int], max_bytes: int) -> None:
    """Of one lane's calls as many go into a request as fit, to the byte."""
    lanes = new_lanes(max_bytes=max_bytes, max_calls=1000)
    track = lanes.assign(("orders", 0), 0)
    for offset, length in enumerate(lengths):
        add(lanes, track, offset, b"k", (b"x" * length, b""))
    batch = lanes.take(0.0, draining=True)
    taken = len(places(batch))
    assert batch is not None
    assert len(batch.body()) <= max_bytes
    if taken < len(lengths):
        assert len(batch.body()) + 1 + lengths[taken] > max_bytes


@pytest.mark.parametrize("too_long", [False, True])
def test_the_envelope_counts_with_its_comma(too_long: bool) -> None:  # noqa: FBT001 - parametrized
    envelope = b'"context":{"ip":"1"}'
    lanes = new_lanes()
    track = lanes.assign(("orders", 0), 0)
    first = b"x" * 20
    room = MAX_BYTES - len(b'{"batch":[],}') - len(envelope) - len(first) - 1
    add(lanes, track, 0, b"k", (first, envelope), (b"y" * (room + too_long), envelope))
    batch = lanes.take(0.0, draining=True)
    assert len(places(batch)) == (1 if too_long else 2)
    assert batch is not None
    assert batch.body().endswith(envelope + b"}")


def test_a_call_that_fills_a_body_alone_goes_without_its_envelope() -> None:
    lanes = new_lanes()
    track = lanes.assign(("orders", 0), 0)
    add(lanes, track, 0, b"k", (b"x" * LONGEST, b'"context":{}'))
    batch = lanes.take(0.0, draining=True)
    assert batch is not None
    assert len(batch.body()) == MAX_BYTES


def test_calls_of_an_envelope_pass_others_of_which_none_has_their_key() -> None:
    lanes = new_lanes()
    track = lanes.assign(("orders", 0), 0)
    keys = [key for key in (b"%d" % n for n in range(10_000)) if hash(key) % LANES == 0][:3]
    one, other = b'"context":{"ip":"1"}', b'"context":{"ip":"2"}'
    add(lanes, track, 0, keys[0], (b"a", one))
    add(lanes, track, 1, keys[1], (b"b", other))
    add(lanes, track, 2, keys[1], (b"c", one))  # must not pass its own key's call
    add(lanes, track, 3, keys[2], (b"d", one))  # may
    first = lanes.take(0.0, draining=True)
    assert places(first) == [(0, 0), (3, 0)]
    assert track.committable() == 0
    assert first is not None
    lanes.finish(first)
    assert places(lanes.take(0.0, draining=True)) == [(1, 0)]


def test_the_calls_of_a_record_without_a_key_keep_their_order() -> None:
    lanes = new_lanes()
    track = lanes.assign(("orders", 0), 0)
    one, other = b'"context":{"ip":"1"}', b'"context":{"ip":"2"}'
    add(lanes, track, 0, None, (b"a", one), (b"b", other), (b"c", one))
    taken = []
    while (batch := lanes.take(0.0, draining=True)) is not None:
        taken.append(places(batch))
        assert lanes.take(0.0, draining=True) is None
        lanes.finish(batch)
    assert taken == [[(0, 0)], [(0, 1)], [(0, 2)]]


def test_a_call_waits_for_others_as_long_as_it_may_linger() -> None:
    lanes = new_lanes()
    track = lanes.assign(("orders", 0), 0)
    lanes.add(track, MemoryRecord(("orders", 0), 0, b"k"), [(b"x", b"")], 10.0)
    assert lanes.next_due() == 10.0 + LINGER
    assert lanes.take(10.0 + LINGER - 0.001) is None
    batch = lanes.take(10.0 + LINGER)
    assert batch is not None
    assert batch.why == "linger"
    assert lanes.next_due() is None


def test_what_waited_behind_a_request_is_due_since_it_came() -> None:
    lanes = new_lanes()
    track = lanes.assign(("orders", 0), 0)
    add(lanes, track, 0, b"k", (b"x", b""))
    batch = lanes.take(LINGER)
    assert batch is not None
    lanes.add(track, MemoryRecord(("orders", 0), 1, b"k"), [(b"y", b"")], LINGER + 0.5)
    assert lanes.next_due() is None
    lanes.finish(batch)
    assert lanes.next_due() == LINGER + 0.5 + LINGER


def test_a_lane_that_fills_a_request_does_not_linger() -> None:
    lanes = new_lanes()
    track = lanes.assign(("orders", 0), 0)
    for offset in range(MAX_CALLS - 1):
        add(lanes, track, offset, b"k", (b"x", b""))
    assert lanes.take(0.0) is None
    add(lanes, track, MAX_CALLS - 1, b"k", (b"x", b""))
    batch = lanes.take(0.0)
    assert len(places(batch)) == MAX_CALLS
    assert batch is not None
    assert batch.why == "full"


def test_a_request_takes_so_many_calls_and_no_more() -> None:
    lanes = new_lanes()
    track = lanes.assign(("orders", 0), 0)
    for offset in range(MAX_CALLS + 1):
        add(lanes, track, offset, b"k", (b"x", b""))
    batch = lanes.take(0.0)
    assert places(batch) == [(offset, 0) for offset in range(MAX_CALLS)]
    assert batch is not None
    assert batch.why == "full"
    lanes.finish(batch)
    assert places(lanes.take(LINGER)) == [(MAX_CALLS, 0)]


def test_lanes_that_fill_a_request_together_do_not_linger() -> None:
    lanes = new_lanes()
    track = lanes.assign(("orders", 0), 0)
    for offset in range(MAX_CALLS):
        add(lanes, track, offset * 8, None, (b"x", b""))
    batch = lanes.take(0.0)
    assert len(places(batch)) == MAX_CALLS
    assert batch is not None
    assert len(batch.lanes) == MAX_CALLS


@pytest.mark.parametrize(("partitions", "in_flight"), [(1, 8), (2, 8), (1, 1000), (4, 1)])
def test_a_request_holds_no_more_than_its_share_of_the_lanes(partitions: int, in_flight: int) -> None:
    lanes = new_lanes(max_bytes=475_000, max_calls=2000, max_in_flight=in_flight)
    for number in range(partitions):
        track = lanes.assign(("orders", number), 0)
        for lane in range(LANES):
            add(lanes, track, lane * 8, None, (b"x", b""))
    held = 0
    while (batch := lanes.take(LINGER)) is not None:
        assert len(batch.lanes) <= math.ceil(partitions * LANES / in_flight)
        held += len(batch.lanes)
    assert held == partitions * LANES


def test_requests_are_full_while_there_is_a_backlog() -> None:
    chance = random.Random(1)
    lanes = new_lanes(max_bytes=20_000, max_calls=2000, max_in_flight=8)
    tracks = [lanes.assign(("orders", number), 0) for number in range(4)]
    for offset in range(40_000):
        key = b"%d" % chance.randrange(5000)
        add(lanes, tracks[offset % 4], offset, key, (b"x" * chance.randint(50, 700), b""))
    fills, in_flight = [], []
    while sum(track.lanes[0].calls for track in tracks):
        batch = lanes.take(LINGER)
        if batch is not None:
            fills.append(len(batch.body()) / 20_000)
            in_flight.append(batch)
        if batch is None or len(in_flight) == 8:
            lanes.finish(in_flight.pop(chance.randrange(len(in_flight))))
    backlog = fills[: len(fills) * 3 // 4]
    assert sum(backlog) / len(backlog) >= 0.95


def test_a_lane_that_two_halves_share_is_free_when_both_are_finished() -> None:
    lanes = new_lanes()
    track = lanes.assign(("orders", 0), 0)
    add(lanes, track, 0, b"k", (b"x", b""), (b"y", b""))
    batch = lanes.take(LINGER)
    assert batch is not None
    add(lanes, track, 1, b"k", (b"z", b""))
    first, second = batch.split()
    lanes.finish(first)
    assert lanes.take(LINGER, draining=True) is None
    assert track.committable() == 0
    lanes.finish(second)
    assert places(lanes.take(LINGER, draining=True)) == [(1, 0)]


def test_a_letter_holds_the_commit_back_until_it_is_acknowledged() -> None:
    track = new_lanes().assign(("orders", 0), 0)
    track.take_in(10, 10, 0)
    track.letters |= {3: False, 5: True}
    assert track.committable() == 3
    track.letters[3] = True
    assert track.committable() == 10


def test_a_slice_is_in_progress_until_all_of_it_is_committed() -> None:
    track = new_lanes().assign(("orders", 0), 0)
    track.take_in(10, 10, 100)
    track.take_in(25, 5, 70)
    track.commit(9)
    assert (track.records, track.size) == (15, 170)
    track.commit(10)
    assert (track.records, track.size) == (5, 70)
    track.commit(25)
    assert (track.records, track.size) == (0, 0)
