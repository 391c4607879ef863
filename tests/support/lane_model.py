"""A naive account of what lanes hold: lists, searched from the front."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.support.memory_source import MemoryRecord
from worker.core.lanes import Batch, Lanes, PartitionState
from worker.core.records import QueuedCall, Record

MAX_BYTES = 200
MAX_CALLS = 6
LINGER = 1.0
LIMITS = {"max_bytes": MAX_BYTES, "max_calls": MAX_CALLS, "linger": LINGER, "max_in_flight": 3}

LONGEST = MAX_BYTES - len(b'{"batch":[]}')

Call = tuple[int, int]
"""Offset and index."""


@dataclass(slots=True)
class PartitionModel:
    """One assignment: its calls in order, those that wait, and those that are in requests."""

    state: PartitionState
    next_offset: int = 0
    expected: dict[Call, bytes] = field(default_factory=dict)
    contexts: dict[Call, bytes] = field(default_factory=dict)
    keys: dict[int, bytes | None] = field(default_factory=dict)
    waiting: list[Call] = field(default_factory=list)
    in_flight: Counter[Call] = field(default_factory=Counter)

    def add(self, lanes: Lanes, key: bytes | None, calls: list[tuple[int, bytes]], now: float) -> None:
        """Add a record of calls with these sizes and contexts."""
        record = MemoryRecord(self.state.partition, self.next_offset, key)
        queued = []
        for index, (size, context) in enumerate(calls):
            place = (record.at, index)
            self.expected[place] = (b'"%d.%d"' % place).ljust(size, b" ")
            self.contexts[place] = context
            self.waiting.append(place)
            queued.append((self.expected[place], context))
        self.keys[record.at] = key
        self.next_offset += 1
        lanes.add(self.state, queued_calls(record, queued), now)
        self.state.accept(self.next_offset, 1, 0)

    def order(self, call: Call) -> bytes | int:
        """What its order hangs on."""
        key = self.keys[call[0]]
        return call[0] if key is None else key

    def send(self, calls: list[Call]) -> None:
        """These are in a request now: each is the next of its order, and no other of that order is in flight."""
        flying = {self.order(call) for call in self.in_flight}
        for call in calls:
            order = self.order(call)
            assert order not in flying, "a key in two requests"
            assert call == next(each for each in self.waiting if self.order(each) == order), "overtaken"
            self.waiting.remove(call)
        self.in_flight.update(calls)

    def finish(self, calls: list[Call]) -> None:
        """These are done."""
        for call in calls:
            assert self.in_flight.pop(call) == 1, "finished twice"

    def committable(self) -> int:
        """The oldest offset with an unfinished call."""
        return min((offset for offset, _ in [*self.waiting, *self.in_flight]), default=self.next_offset)


def queued_calls(record: Record, calls: Iterable[tuple[bytes, bytes]]) -> list[QueuedCall]:
    """A record's calls, each of a body and a context, as a converter makes them."""
    key = record.key()
    order = record.offset() if key is None else key
    return [
        (order, body + b",", record, index, context, "rules.yaml:1")
        for index, (body, context) in enumerate(calls)
    ]


def calls_of(batch: Batch, state: PartitionState) -> list[Call]:
    """A batch's calls of one assignment."""
    return [(record.offset(), index) for of, (_, _, record, index, *_) in batch.calls() if of is state]


def exact_body(batch: Batch, models: list[PartitionModel]) -> bytes:
    """What the batch's body must be, from the calls as they were added."""
    by_state = {id(model.state): model for model in models}
    bodies = [
        by_state[id(state)].expected[record.offset(), index]
        for state, (_, _, record, index, *_) in batch.calls()
    ]
    tail = b"]," + batch.context + b"}" if batch.context else b"]}"
    return b'{"batch":[' + b",".join(bodies) + tail


def new_lanes(**limits: float) -> Lanes:
    return Lanes(**(LIMITS | limits))  # type: ignore[arg-type] # numbers as they are
