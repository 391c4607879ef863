"""Lanes against a naive account of them: sizes, order, and what may be committed.

Revoking is a machine of its own: mixed in with the others it would keep emptying the state.
"""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.lane_model import TrackModel, calls_of, exact_body
from tests.support.memory_source import MemoryRecord
from worker.core.lanes import LANES, Batch, Lanes, Track

MAX_BYTES = 200
MAX_CALLS = 6
LINGER = 1.0
LIMITS = {"max_bytes": MAX_BYTES, "max_calls": MAX_CALLS, "linger": LINGER, "max_in_flight": 4}

LONGEST = MAX_BYTES - len(b'{"batch":[]}')
KEYS = [b"a", b"b", b"c", b"", None]
ENVELOPES = [b"", b'"context":{}', b'"context":{"ip":"1"}']

sizes = st.integers(7, 40) | st.integers(LONGEST - 20, LONGEST)
several = st.lists(st.tuples(sizes, st.sampled_from(ENVELOPES)), min_size=1, max_size=4)


def new_lanes(**limits: float) -> Lanes:
    return Lanes(**(LIMITS | limits))  # type: ignore[arg-type] # numbers as they are


class WorkingLanes(RuleBasedStateMachine):
    """Records come, batches are taken, split and finished; nobody takes partitions away."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = new_lanes()
        self.now = 0.0
        self.models: list[TrackModel] = []
        self.batches: list[Batch] = []

    @initialize(partitions=st.integers(1, 3))
    def assign(self, partitions: int) -> None:
        for number in range(partitions):
            self.models.append(TrackModel(self.lanes.assign(("orders", number), 0)))

    @rule(which=st.integers(0, 2), key=st.sampled_from(KEYS), calls=several)
    def add_a_record(self, which: int, key: bytes | None, calls: list[tuple[int, bytes]]) -> None:
        self.models[which % len(self.models)].add(self.lanes, key, calls, self.now)

    @rule(seconds=st.sampled_from([0.1, 0.5, LINGER]))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds

    @rule(draining=st.booleans())
    def take(self, draining: bool) -> None:  # noqa: FBT001 - as Hypothesis gives it
        share = self.lanes.share
        batch = self.lanes.take(self.now, draining=draining)
        if batch is None:
            self._nothing_was_due(draining=draining)
            return
        self._check_batch(batch, share)
        for model in self.models:
            model.send(calls_of(batch, model.track))
        self.batches.append(batch)

    @precondition(lambda self: self.batches)
    @rule(which=st.integers(0))
    def finish(self, which: int) -> None:
        batch = self.batches.pop(which % len(self.batches))
        for model in self.models:
            model.finish(calls_of(batch, model.track))
        self.lanes.finish(batch)

    @precondition(lambda self: any(len(batch.calls) > 1 for batch in self.batches))
    @rule(which=st.integers(0))
    def split(self, which: int) -> None:
        splittable = [batch for batch in self.batches if len(batch.calls) > 1]
        batch = splittable[which % len(splittable)]
        first, second = batch.split()
        assert first.calls + second.calls == batch.calls
        assert abs(len(first.calls) - len(second.calls)) <= 1
        assert first.envelope == second.envelope == batch.envelope
        self.batches.remove(batch)
        self.batches += [first, second]
        for half in (first, second):
            assert half.body() == exact_body(half, self.models)

    @invariant()
    def nothing_unfinished_may_be_committed(self) -> None:
        for model in self.models:
            assert model.track.committable() <= model.committable()
            if not model.in_flight:
                assert model.track.committable() == model.committable()

    @invariant()
    def each_lane_knows_what_it_holds(self) -> None:
        for model in self.models:
            for lane in model.track.lanes:
                calls = [call for stretch in lane.queue for call in stretch.calls]
                assert lane.calls == len(calls)
                assert lane.size == sum(len(call[0]) for call in calls)
                assert lane.tail is (lane.queue[-1] if lane.queue else None)
                assert all(stretch.calls for stretch in lane.queue)

    def _check_batch(self, batch: Batch, share: int) -> None:
        body = batch.body()
        assert body == exact_body(batch, self.models)
        assert len(body) <= MAX_BYTES
        assert 0 < len(batch.calls) <= MAX_CALLS
        assert len(batch.lanes) <= share
        assert sum(count for _, count in batch.lanes) == len(batch.calls)
        for model in self.models:
            envelopes = {model.envelopes[call] for call in calls_of(batch, model.track)}
            assert len(envelopes) <= 1
            # A call that fills a body alone goes without its envelope.
            assert envelopes <= {batch.envelope} or (batch.envelope == b"" and len(batch.calls) == 1)

    def _nothing_was_due(self, *, draining: bool) -> None:
        for model in self.models:
            for lane in model.track.lanes:
                if lane.queue and not lane.in_flight:
                    assert not draining
                    assert lane.queue[0].since + LINGER > self.now
                    assert lane.calls < MAX_CALLS
                    assert lane.size < MAX_BYTES
        due = self.lanes.next_due()
        assert due is None or due > self.now

    def teardown(self) -> None:
        """In the end everything is delivered, once and in order."""
        for _ in range(1000):
            self.take(draining=True)
            if not self.batches:
                break
            self.finish(0)
        assert self.lanes.is_idle()
        for model in self.models:
            assert not model.waiting
            assert model.track.committable() == model.next_offset


class RevokedLanes(RuleBasedStateMachine):
    """Partitions are withdrawn, forgotten and assigned anew while batches are in flight."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = new_lanes()
        self.models = [TrackModel(self.lanes.assign(("orders", number), 0)) for number in range(2)]
        self.orphans: list[TrackModel] = []
        self.batches: list[Batch] = []

    @rule(which=st.integers(0, 1), key=st.sampled_from(KEYS), calls=several)
    def add_a_record(self, which: int, key: bytes | None, calls: list[tuple[int, bytes]]) -> None:
        if not self.models[which].track.withdrawn:
            self.models[which].add(self.lanes, key, calls, 0.0)

    @rule()
    def take(self) -> None:
        batch = self.lanes.take(0.0, draining=True)
        if batch is not None:
            assert not any(lane.track.withdrawn for lane, _ in batch.lanes)
            for model in self.models:
                model.send(calls_of(batch, model.track))
            self.batches.append(batch)

    @rule(which=st.integers(0, 1))
    def withdraw(self, which: int) -> None:
        self.lanes.withdraw(self.models[which].track)

    @rule(which=st.integers(0, 1))
    def forget_and_assign_anew(self, which: int) -> None:
        old = self.models[which]
        self.lanes.forget(old.track)
        assert old.track.partition not in self.lanes.tracks
        self.orphans.append(old)
        self.models[which] = TrackModel(self.lanes.assign(old.track.partition, 0))

    @precondition(lambda self: self.batches)
    @rule(which=st.integers(0))
    def finish_what_is_still_ours(self, which: int) -> None:
        batch = self.batches.pop(which % len(self.batches))
        kept = self.lanes.without_withdrawn(batch)
        ours = [model for model in self.models if not model.track.withdrawn]
        assert len(kept.calls) == sum(len(calls_of(batch, model.track)) for model in ours)
        assert not kept.calls or kept.body() == exact_body(kept, self.models)
        for model in ours:
            model.finish(calls_of(kept, model.track))
        self.lanes.finish(kept)

    @precondition(lambda self: self.batches)
    @rule(which=st.integers(0))
    def finish_late(self, which: int) -> None:
        """An answer came after all: it counts for whom it still concerns, and touches nobody else."""
        batch = self.batches.pop(which % len(self.batches))
        for model in [*self.models, *self.orphans]:
            model.finish(calls_of(batch, model.track))
        self.lanes.finish(batch)

    @invariant()
    def what_was_not_finished_holds_its_commit_back(self) -> None:
        for model in [*self.models, *self.orphans]:
            assert model.track.committable() <= model.committable()


TestWorkingLanes = WorkingLanes.TestCase
TestWorkingLanes.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRevokedLanes = RevokedLanes.TestCase
TestRevokedLanes.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


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
