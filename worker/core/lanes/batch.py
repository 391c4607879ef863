"""What one request carries, and how lanes are emptied into it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from worker.core.lanes.track import Lane, QueuedCall, Stretch
from worker.core.model import Record

LOOK_BEHIND = 32
"""How many stretches behind a lane's head are searched for calls of the same envelope.

Without a bound, a lane full of unique contexts would be searched to its end with each request.
"""

_FRAME = len(b'{"batch":[]}')


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

    def by_lane(self) -> Iterator[tuple[Lane, list[QueuedCall]]]:
        """Each lane with its calls."""
        at = 0
        for lane, count in self.lanes:
            yield lane, self.calls[at : at + count]
            at += count

    def heads(self) -> list[Record]:
        """Each lane's first record: the oldest one is among them."""
        starts = accumulate((count for _, count in self.lanes[:-1]), initial=0)
        return [self.calls[at][1] for at in starts]

    def split(self) -> tuple[Batch, Batch]:
        """Two halves; sent one after the other they keep the order.

        Between lanes while there are several: what is in a bad call's lane has to wait for it, and nothing else.
        """
        middle = len(self.calls) // 2
        if len(self.lanes) > 1:
            middle = sum(count for _, count in self.lanes[: len(self.lanes) // 2])
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


class Filling:
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
            # A call that fills the body goes alone and without: its own context says the same.
            batch.envelope = b""
            self._calls = 1

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
