"""Lanes against a naive account of them: sizes, order, and what may be committed.

Revoking is a machine of its own: mixed in with the others it would keep emptying the state.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.lane_model import (
    LINGER,
    LONGEST,
    MAX_BYTES,
    MAX_CALLS,
    Call,
    PartitionModel,
    calls_of,
    exact_body,
    new_lanes,
)
from worker.core.lanes import Batch
from worker.core.records import BODY, CONTEXT

pytestmark = pytest.mark.no_cover  # runs through the same lines a hundred times

KEYS = [b"a", b"b", b"c", b"", None]
ENVELOPES = [b"", b'"context":{}', b'"context":{"ip":"1"}']

sizes = st.integers(7, 40) | st.integers(LONGEST - 20, LONGEST)
several = st.lists(st.tuples(sizes, st.sampled_from(ENVELOPES)), min_size=1, max_size=4)


class WorkingLanes(RuleBasedStateMachine):
    """Records arrive, batches are taken, split and finished; no partitions are revoked."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = new_lanes()
        self.now = 0.0
        self.contexts = ENVELOPES
        self.models: list[PartitionModel] = []
        self.batches: list[Batch] = []

    @initialize(partitions=st.integers(1, 3), contexts=st.sampled_from([1, 1, len(ENVELOPES)]))
    def assign(self, partitions: int, contexts: int) -> None:
        self.contexts = ENVELOPES[:contexts]  # keys are tracked in another way where there are several
        for number in range(partitions):
            self.models.append(PartitionModel(self.lanes.assign(("orders", number), 0)))

    @rule(which=st.integers(0, 2), key=st.sampled_from(KEYS), calls=several)
    def add_a_record(self, which: int, key: bytes | None, calls: list[tuple[int, bytes]]) -> None:
        known = [(size, context if context in self.contexts else b"") for size, context in calls]
        self.models[which % len(self.models)].add(self.lanes, key, known, self.now)

    @rule(seconds=st.sampled_from([0.01, 0.03, 0.1, 0.5, LINGER]))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds

    @rule(draining=st.booleans())
    def take(self, draining: bool) -> None:  # noqa: FBT001 - as Hypothesis gives it
        queued = self._may_be_taken()
        batch = self.lanes.take(self.now, draining=draining)
        if batch is None:
            assert not draining or not queued
            self._nothing_was_due(queued)
            return
        self._check_batch(batch)
        for model in self.models:
            model.send(calls_of(batch, model.state))
        self.batches.append(batch)

    @precondition(lambda self: self.batches)
    @rule(which=st.integers(0))
    def finish(self, which: int) -> None:
        batch = self.batches[which % len(self.batches)]
        if batch.lane is not None:  # parts of a lane are delivered in order
            batch = next(each for each in self.batches if each.lane == batch.lane)
        self.batches.remove(batch)
        for model in self.models:
            model.finish(calls_of(batch, model.state))
        self.lanes.finish(batch)

    @precondition(lambda self: any(batch.count > 1 for batch in self.batches))
    @rule(which=st.integers(0))
    def split(self, which: int) -> None:
        splittable = [batch for batch in self.batches if batch.count > 1]
        batch = splittable[which % len(splittable)]
        calls, orders = self._calls(batch), self._orders(batch)
        halves = batch.split()
        first, second = halves
        assert first.count
        assert second.count
        assert sorted([*self._calls(first), *self._calls(second)]) == sorted(calls)
        shared = self._orders(first) & self._orders(second)
        assert shared == (orders if len(orders) == 1 else set())
        at = self.batches.index(batch)
        self.batches[at : at + 1] = halves
        for half in halves:
            assert half.context == batch.context
            assert half.body() == exact_body(half, self.models)

    @invariant()
    def what_is_unfinished_holds_the_commit_back_and_nothing_else(self) -> None:
        for model in self.models:
            assert model.state.offsets.committable() == model.committable()

    @invariant()
    def each_key_is_where_its_calls_are(self) -> None:
        for model in self.models:
            flying = {model.order(call) for call in model.in_flight}
            waiting = {model.order(call) for call in model.waiting}
            keys = model.state.keys
            assert keys.sending == flying
            assert set(keys.blocked) <= waiting
            if keys.homes is not None:
                assert set(keys.homes) == (waiting | flying) - flying

    @invariant()
    def each_queue_knows_what_it_holds(self) -> None:
        for context, queue in self.lanes.queues.items():
            calls = [call for chunk in queue.chunks for call in chunk.calls]
            assert calls
            assert {call[CONTEXT] for call in calls} == {context}
            assert queue.calls == len(calls)
            assert queue.size == sum(len(call[BODY]) for call in calls)
            ages = [chunk.since for chunk in queue.chunks]
            assert ages == sorted(ages)

    def _calls(self, batch: Batch) -> list[tuple[int, Call]]:
        return [
            (number, call)
            for number, model in enumerate(self.models)
            for call in calls_of(batch, model.state)
        ]

    def _orders(self, batch: Batch) -> set[tuple[int, bytes | int]]:
        return {(number, self.models[number].order(call)) for number, call in self._calls(batch)}

    def _check_batch(self, batch: Batch) -> None:
        body = batch.body()
        assert body == exact_body(batch, self.models)
        assert len(body) <= MAX_BYTES
        assert 0 < batch.count <= MAX_CALLS
        for model in self.models:
            contexts = {model.contexts[call] for call in calls_of(batch, model.state)}
            assert len(contexts) <= 1
            # A call that fills a body alone goes without its context.
            assert contexts <= {batch.context} or (batch.context == b"" and batch.count == 1)

    def _may_be_taken(self) -> dict[bytes, int]:
        """How many calls of each context wait neither for a request nor for one of another context."""
        ready: Counter[bytes] = Counter()
        for model in self.models:
            flying = {model.order(call) for call in model.in_flight}
            heads: dict[bytes | int, bytes] = {}
            passed = set(flying)
            for call in model.waiting:
                order, context = model.order(call), model.contexts[call]
                if heads.setdefault(order, context) != context:
                    passed.add(order)
                if order not in passed:
                    ready[context] += 1
        return ready

    def _nothing_was_due(self, ready: dict[bytes, int]) -> None:
        assert all(calls < MAX_CALLS for calls in ready.values())
        due = self.lanes.next_due()
        assert due is not None or not ready
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
            assert model.state.offsets.committable() == model.next_offset


class RevokedLanes(RuleBasedStateMachine):
    """Partitions are revoked, forgotten and assigned anew while batches are in flight."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = new_lanes()
        self.models = [PartitionModel(self.lanes.assign(("orders", number), 0)) for number in range(2)]
        self.orphans: list[PartitionModel] = []
        self.batches: list[Batch] = []

    @rule(which=st.integers(0, 1), key=st.sampled_from(KEYS), calls=several)
    def add_a_record(self, which: int, key: bytes | None, calls: list[tuple[int, bytes]]) -> None:
        if not self.models[which].state.revoked:
            self.models[which].add(self.lanes, key, calls, 0.0)

    @rule()
    def take(self) -> None:
        batch = self.lanes.take(0.0, draining=True)
        if batch is not None:
            assert not any(state.revoked for state, _ in batch.calls())
            for model in self.models:
                model.send(calls_of(batch, model.state))
            self.batches.append(batch)

    @rule(which=st.integers(0, 1))
    def revoke(self, which: int) -> None:
        self.lanes.revoke(self.models[which].state)

    @rule(which=st.integers(0, 1))
    def forget_and_assign_anew(self, which: int) -> None:
        old = self.models[which]
        self.lanes.forget(old.state)
        assert old.state.partition not in self.lanes.partitions
        self.orphans.append(old)
        self.models[which] = PartitionModel(self.lanes.assign(old.state.partition, 0))

    @precondition(lambda self: self.batches)
    @rule(which=st.integers(0))
    def finish_what_is_still_ours(self, which: int) -> None:
        batch = self.batches.pop(which % len(self.batches))
        kept = self.lanes.without_revoked(batch)
        ours = [model for model in self.models if not model.state.revoked]
        assert kept.count == sum(len(calls_of(batch, model.state)) for model in ours)
        assert not kept.count or kept.body() == exact_body(kept, self.models)
        for model in ours:
            model.finish(calls_of(kept, model.state))
        self.lanes.finish(kept)

    @precondition(lambda self: self.batches)
    @rule(which=st.integers(0))
    def finish_late(self, which: int) -> None:
        """A response arrived late: it finishes calls of current assignments, and affects no others."""
        batch = self.batches.pop(which % len(self.batches))
        for model in [*self.models, *self.orphans]:
            model.finish(calls_of(batch, model.state))
        self.lanes.finish(batch)

    @invariant()
    def what_was_not_finished_holds_its_commit_back(self) -> None:
        for model in [*self.models, *self.orphans]:
            assert model.state.offsets.committable() <= model.committable()


TestWorkingLanes = WorkingLanes.TestCase
TestWorkingLanes.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRevokedLanes = RevokedLanes.TestCase
TestRevokedLanes.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
