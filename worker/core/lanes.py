"""Lanes: how calls wait for a request so that a key's calls never overtake each other.

The rule that everything follows from: a key always travels in the same lane, and a lane is in at most one request,
through all its retries and splits.

Each assigned partition has 64 lanes. A request takes whole free lanes until it is full, cuts the last one where it
must, and holds them until each of its calls is delivered or refused. Two more rules keep offsets safe:

- Only `take` and `finish` shorten a queue: a call forgotten is a call committed.
- The oldest unfinished offset of a lane is at its head, so nothing is kept for each finished record.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from worker.core.model import EncodedCall, Partition, Record

LANES = 64
"""Lanes of a partition: how many keys' worth of order can be in different requests at once."""

LOOK_BEHIND = 32
"""How many stretches behind a lane's head are searched for calls of the same envelope.

Without a bound, a lane full of unique contexts would be searched to its end with each request.
"""

QueuedCall = tuple[bytes, Record, int]
"""A call's exact bytes and a comma, the record it comes from, and its index among that record's calls.

Adding the comma copies the bytes, which is worth it by itself: the encoder's own buffer is ten times as large as a
usual call.
"""

_FRAME = len(b'{"batch":[]}')


@dataclass(slots=True)
class Stretch:
    """Calls next to each other in a lane that share an envelope.

    Attributes:
        since: when the first of them came.
        size: their bytes, with a comma behind each.
    """

    envelope: bytes
    since: float
    size: int = 0
    calls: list[QueuedCall] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Lane:
    """A queue of calls of which only one request at a time holds any.

    Attributes:
        in_flight: how many of its calls are in a request.
        flying: the oldest record among those; None if there are none.
        calls, size: of what is queued; the size in bytes with the commas between.
        tail: the last stretch of the queue; None if it is empty.
        due: when it is worth a request of its own; None while it is empty or in a request.
        group: where it is ready; None while it is empty or in a request.
    """

    track: Track
    queue: deque[Stretch] = field(default_factory=deque)
    in_flight: int = 0
    flying: Record | None = None
    calls: int = 0
    size: int = 0
    tail: Stretch | None = None
    due: float | None = None
    group: Group | None = None

    def oldest(self) -> Record | None:
        """The oldest record with an unfinished call: calls leave from the head, and come back to none."""
        if self.flying is not None:
            return self.flying
        return self.queue[0].calls[0][1] if self.queue else None


@dataclass(slots=True, eq=False)
class Track:
    """One assignment of one partition.

    Attributes:
        upto: the next offset to read.
        committed: what Kafka holds for the group; None if nothing yet.
        letters: offsets of dead letters, and whether the broker has acknowledged each.
        withdrawn: nothing more is taken from it; its queues still hold the commit back.
        taken_in: `(upto, records, bytes)` of each slice that is not committed yet.
        records, size: their sums.
    """

    partition: Partition
    upto: int
    committed: int | None = None
    lanes: list[Lane] = field(init=False)
    letters: dict[int, bool] = field(default_factory=dict)
    withdrawn: bool = False
    taken_in: deque[tuple[int, int, int]] = field(default_factory=deque)
    records: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        self.lanes = [Lane(self) for _ in range(LANES)]

    def take_in(self, upto: int, records: int, size: int) -> None:
        """Account for a slice of records below `upto` that weighs `size` bytes with its calls."""
        self.upto = upto
        self.taken_in.append((upto, records, size))
        self.records += records
        self.size += size

    def committable(self) -> int:
        """The oldest offset that is not finished, else the next to read. Gaps in offsets mean nothing."""
        oldest = self.oldest_record()
        unfinished = [offset for offset, acknowledged in self.letters.items() if not acknowledged]
        return min([self.upto, *unfinished] if oldest is None else [self.upto, oldest.offset(), *unfinished])

    def oldest_record(self) -> Record | None:
        """The oldest record that is neither delivered nor refused; None if there is none."""
        oldest = [record for lane in self.lanes if (record := lane.oldest()) is not None]
        return min(oldest, key=lambda record: record.offset(), default=None)

    def commit(self, offset: int) -> None:
        """Kafka holds `offset` now: what is below it needs nothing more."""
        self.committed = offset
        while self.taken_in and self.taken_in[0][0] <= offset:
            _, records, size = self.taken_in.popleft()
            self.records -= records
            self.size -= size
        for letter in [letter for letter in self.letters if letter < offset]:
            del self.letters[letter]


@dataclass(slots=True, eq=False)
class Batch:
    """What one request carries.

    Attributes:
        envelope: what is repeated at the top level, see `model.EncodedCall`.
        lanes: whose calls these are, in order: a lane and how many calls of it.
        why: what closed it: full, linger or drain.
    """

    envelope: bytes
    why: str
    calls: list[QueuedCall] = field(default_factory=list)
    lanes: list[tuple[Lane, int]] = field(default_factory=list)
    _body: bytes | None = None

    def body(self) -> bytes:
        """The request's exact bytes, the same for every attempt."""
        if self._body is None:
            parts = [call[0] for call in self.calls]
            parts[-1] = parts[-1][:-1]
            tail = b"]," + self.envelope + b"}" if self.envelope else b"]}"
            self._body = b"".join([b'{"batch":[', *parts, tail])
        return self._body

    def records(self) -> list[Record]:
        """The record of each call."""
        return [call[1] for call in self.calls]

    def by_lane(self) -> Iterator[tuple[Lane, list[QueuedCall]]]:
        """Each lane with its calls."""
        at = 0
        for lane, count in self.lanes:
            yield lane, self.calls[at : at + count]
            at += count

    def heads(self) -> list[Record]:
        """Each lane's first record: the oldest one is among them."""
        return [calls[0][1] for _, calls in self.by_lane()]

    def split(self) -> tuple[Batch, Batch]:
        """Two halves; sent one after the other they keep the order."""
        middle = len(self.calls) // 2
        first, second = Batch(self.envelope, self.why), Batch(self.envelope, self.why)
        first.calls, second.calls = self.calls[:middle], self.calls[middle:]
        for lane, count in self.lanes:
            before = min(count, middle)
            middle -= before
            if before:
                first.lanes.append((lane, before))
            if count > before:
                second.lanes.append((lane, count - before))
        return first, second


class Group:
    """Ready lanes whose head has the same envelope, in the order in which they became ready."""

    __slots__ = ("calls", "envelope", "lanes", "size")

    def __init__(self, envelope: bytes) -> None:
        self.envelope = envelope
        self.lanes: dict[Lane, None] = {}
        self.calls = 0
        self.size = 0


class Lanes:
    """All lanes of all assigned partitions, and what may go into the next request.

    Args:
        max_bytes: of a request's body, exact.
        max_calls: in a request.
        linger: seconds that a call may wait for others to share its request.
        max_in_flight: requests at the same time; a request may hold the lanes divided by this, so that one that
            hangs delays few keys.
    """

    def __init__(self, *, max_bytes: int, max_calls: int, linger: float, max_in_flight: int) -> None:
        self._max_bytes = max_bytes
        self._max_calls = max_calls
        self._linger = linger
        self._max_in_flight = max_in_flight
        self._groups: dict[bytes, Group] = {}
        self._due: list[tuple[float, int, Lane]] = []
        self._full: dict[Group, None] = {}
        self._pushed = 0
        self.tracks: dict[Partition, Track] = {}

    def assign(self, partition: Partition, upto: int, committed: int | None = None) -> Track:
        """Begin an assignment whose first record is at `upto` or later."""
        track = self.tracks[partition] = Track(partition, upto, committed)
        return track

    def withdraw(self, track: Track) -> None:
        """Take no more from a partition that another member is about to get; it still holds its commit back."""
        track.withdrawn = True
        for lane in track.lanes:
            self._leave(lane)

    def forget(self, track: Track) -> None:
        """End an assignment. What completes late touches an orphan and nothing else."""
        self.withdraw(track)
        if self.tracks.get(track.partition) is track:
            del self.tracks[track.partition]

    def add(self, track: Track, record: Record, calls: Iterable[EncodedCall], now: float) -> int:
        """Queue a record's calls in their key's lane; answers their bytes.

        Called for every record: written for speed.
        """
        key = record.key()
        # Without a key there is no order to keep: a few records go together, then the next lane's turn comes.
        lane = track.lanes[(hash(key) if key is not None else record.offset() >> 3) % LANES]
        stretch = lane.tail
        size = index = 0
        for body, envelope in calls:
            if stretch is None or stretch.envelope != envelope:
                stretch = lane.tail = Stretch(envelope, now)
                lane.queue.append(stretch)
            queued = body + b","
            stretch.calls.append((queued, record, index))
            stretch.size += len(queued)
            size += len(queued)
            index += 1
        lane.calls += index
        lane.size += size
        if lane.group is not None:
            self._weigh(lane.group, lane, index, size)
        elif not lane.in_flight:
            self._enter(lane)
        return size

    def take(self, now: float, *, draining: bool = False) -> Batch | None:
        """The next request's calls, if there is reason to send one.

        A lane is due that has lingered or fills a request alone; an envelope's lanes are taken early if those that
        one request may hold fill it. When `draining`, everything is due.
        """
        lane = self._first_due()
        if lane is not None and lane.due is not None and lane.group and (draining or lane.due <= now):
            return self._fill(lane.group, lane, "drain" if draining else "linger")
        for group in list(self._full):
            if self._fills_a_request(group):
                return self._fill(group, next(iter(group.lanes)), "full")
            del self._full[group]
        return None

    def next_due(self) -> float | None:
        """When `take` will have something at the latest; None if nothing waits."""
        lane = self._first_due()
        return None if lane is None else lane.due

    def finish(self, batch: Batch) -> None:
        """Each call in `batch` is delivered or refused, or its partition is not ours: free the lanes."""
        for lane, count in batch.lanes:
            lane.in_flight -= count
            if lane.in_flight:
                continue
            lane.flying = None
            if lane.queue and not lane.track.withdrawn:
                self._enter(lane)

    def without_withdrawn(self, batch: Batch) -> Batch:
        """`batch` without the calls of partitions that are not ours any more.

        Those lanes stay in flight: what was not finished holds their partition's last commit back.
        """
        if not any(lane.track.withdrawn for lane, _ in batch.lanes):
            return batch
        kept = Batch(batch.envelope, batch.why)
        for lane, calls in batch.by_lane():
            if not lane.track.withdrawn:
                kept.lanes.append((lane, len(calls)))
                kept.calls += calls
        return kept

    def is_idle(self) -> bool:
        """Whether nothing is queued or in flight."""
        return not any(lane.queue or lane.in_flight for track in self.tracks.values() for lane in track.lanes)

    @property
    def share(self) -> int:
        """How many lanes one request may hold."""
        return max(1, math.ceil(len(self.tracks) * LANES / self._max_in_flight))

    def _first_due(self) -> Lane | None:
        while self._due:
            due, _, lane = self._due[0]
            if lane.due == due:
                return lane
            heapq.heappop(self._due)
        return None

    def _enter(self, lane: Lane) -> None:
        """A lane is free and has calls: it is ready, in the group of its head's envelope."""
        head = lane.queue[0]
        group = self._groups.get(head.envelope)
        if group is None:
            group = self._groups[head.envelope] = Group(head.envelope)
        group.lanes[lane] = None
        lane.group = group
        self._push(lane, head.since + self._linger)
        self._weigh(group, lane, lane.calls, lane.size)

    def _weigh(self, group: Group, lane: Lane, calls: int, size: int) -> None:
        group.calls += calls
        group.size += size
        if group.size < self._max_bytes and group.calls < self._max_calls:
            return
        self._full[group] = None
        if (lane.size >= self._max_bytes or lane.calls >= self._max_calls) and lane.due != -math.inf:
            self._push(lane, -math.inf)

    def _push(self, lane: Lane, due: float) -> None:
        lane.due = due
        self._pushed += 1
        heapq.heappush(self._due, (due, self._pushed, lane))

    def _leave(self, lane: Lane) -> None:
        """A ready lane goes into a request, or is withdrawn."""
        group = lane.group
        if group is None:
            return
        lane.due = lane.group = None
        group.calls -= lane.calls
        group.size -= lane.size
        del group.lanes[lane]
        if not group.lanes:
            del self._groups[group.envelope]
            self._full.pop(group, None)

    def _fills_a_request(self, group: Group) -> bool:
        calls = size = 0
        for lane, _ in zip(group.lanes, range(self.share), strict=False):
            calls += lane.calls
            size += lane.size
            if calls >= self._max_calls or size >= self._max_bytes:
                return True
        return False

    def _fill(self, group: Group, first: Lane, why: str) -> Batch:
        lanes = [first]
        for lane in group.lanes:
            if len(lanes) >= self.share:
                break
            if lane is not first:
                lanes.append(lane)
        filling = _Filling(
            Batch(group.envelope, why), first.queue[0].calls[0], self._max_bytes, self._max_calls
        )
        for lane in lanes:
            self._leave(lane)
            filling.take_from(lane)
            if lane.queue and not lane.in_flight:  # it was full before this lane's first call
                self._enter(lane)
            if filling.full:
                filling.batch.why = "full"
                break
        return filling.batch


class _Filling:
    """A batch while lanes are emptied into it."""

    def __init__(self, batch: Batch, first: QueuedCall, max_bytes: int, max_calls: int) -> None:
        self.batch = batch
        self.full = False
        self._envelope = batch.envelope
        self._calls = max_calls
        # Each call counts with a comma behind it; the last one's is not sent.
        self._room = max_bytes - _FRAME + 1
        repeated = len(batch.envelope) + 1 if batch.envelope else 0
        if len(first[0]) <= self._room - repeated:
            self._room -= repeated
        else:
            # A call that fills the body alone goes without: its own context says the same.
            batch.envelope = b""

    def take_from(self, lane: Lane) -> None:
        """Move what fits from the lane's head, and calls of the same envelope behind others that may be passed."""
        before = len(self.batch.calls)
        head = lane.queue[0].calls[0][1]
        size = self._room
        while lane.queue and not self.full and lane.queue[0].envelope == self._envelope:
            self._take_head(lane.queue)
        if lane.queue and not self.full:
            self._take_behind(lane.queue)
        taken = len(self.batch.calls) - before
        if taken:
            lane.in_flight = taken
            lane.flying = head
            lane.tail = lane.queue[-1] if lane.queue else None
            lane.calls -= taken
            lane.size -= size - self._room
            self.batch.lanes.append((lane, taken))

    def _take_head(self, queue: deque[Stretch]) -> None:
        stretch = queue[0]
        if stretch.size <= self._room and len(stretch.calls) <= self._calls:
            self._room -= stretch.size
            self._calls -= len(stretch.calls)
            self.batch.calls += queue.popleft().calls
            return
        self.full = True
        fitting = self._fitting(stretch)
        self.batch.calls += stretch.calls[:fitting]
        del stretch.calls[:fitting]

    def _fitting(self, stretch: Stretch) -> int:
        """How many calls from the front still fit; their room is taken."""
        for fitting, (body, _, _) in enumerate(stretch.calls):
            size = len(body)
            if self._calls == 0 or size > self._room:
                return fitting
            self._room -= size
            self._calls -= 1
            stretch.size -= size
        return len(stretch.calls)

    def _take_behind(self, queue: deque[Stretch]) -> None:
        """Take calls of this envelope whose key is not that of a call which is passed over."""
        passed_over: set[bytes | int] = set()
        seen: list[Stretch] = []
        while queue and len(seen) < LOOK_BEHIND and not self.full:
            stretch = queue.popleft()
            if stretch.envelope == self._envelope:
                self._take_some(stretch, passed_over)
            else:
                passed_over.update(_key(call) for call in stretch.calls)
            if stretch.calls:
                seen.append(stretch)
        queue.extendleft(reversed(seen))

    def _take_some(self, stretch: Stretch, passed_over: set[bytes | int]) -> None:
        left: list[QueuedCall] = []
        for call in stretch.calls:
            size = len(call[0])
            if _key(call) in passed_over:
                left.append(call)
            elif self.full or self._calls == 0 or size > self._room:
                self.full = True
                passed_over.add(_key(call))
                left.append(call)
            else:
                self.batch.calls.append(call)
                self._room -= size
                self._calls -= 1
                stretch.size -= size
        stretch.calls = left


def _key(call: QueuedCall) -> bytes | int:
    """What a call's order hangs on: its record's key; without one, its record."""
    key = call[1].key()
    return call[1].offset() if key is None else key
