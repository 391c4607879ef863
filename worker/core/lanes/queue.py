"""Calls that may go into a request now."""

from __future__ import annotations

from bisect import insort
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING

from worker.core.lanes.stretch import Stretch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.core.lanes.track import Track
    from worker.core.records import QueuedCall

STRETCH_CALLS = 256
STRETCH_SECONDS = 0.05
"""A stretch at the end that is shorter and younger than this grows by what comes next."""

_since = attrgetter("since")


class Queue:
    """Calls that may go into a request together: they share an envelope, and no key of theirs is in a request.

    Attributes:
        envelope: see `model.EncodedCall`.
        stretches: those that came first are first.
        calls, size: the sums of theirs.
        due: when a request should leave with them; None while there are none.
    """

    __slots__ = ("calls", "due", "envelope", "size", "stretches")

    def __init__(self, envelope: bytes) -> None:
        self.envelope = envelope
        self.stretches: deque[Stretch] = deque()
        self.calls = 0
        self.size = 0
        self.due: float | None = None

    def append(self, track: Track, calls: list[QueuedCall], now: float) -> int:
        """Add calls that have just come; answers their bytes."""
        before = self.size
        last = self.stretches[-1] if self.stretches else None
        if last is not None and last.track is track and _may_grow(last, now):
            self.size -= last.size
            last.extend(calls)
            self.size += last.size
            self.calls += len(calls)
        else:
            self.enter(Stretch(track, now, calls))
        return self.size - before

    def enter(self, stretch: Stretch) -> None:
        """Add a stretch where its age belongs."""
        if self.stretches and self.stretches[-1].since > stretch.since:
            insort(self.stretches, stretch, key=_since)
        else:
            self.stretches.append(stretch)
        self.calls += len(stretch.calls)
        self.size += stretch.size

    def pop(self, calls: int) -> Stretch:
        """Take so many calls from the first stretch."""
        stretch = self.stretches[0]
        if calls == len(stretch.calls):
            self.stretches.popleft()
        else:
            stretch, self.stretches[0] = stretch.divide(stretch.calls[:calls], stretch.calls[calls:])
        self.calls -= len(stretch.calls)
        self.size -= stretch.size
        return stretch

    def prefer(self, shares: int, calls: int) -> None:
        """Bring forward the keys of that share of all keys which the first is in, out of about so many calls.

        Until `reset`, the stretches are not in the order of their age.
        """
        share = hash(self.stretches[0].calls[0][0]) % shares
        front: list[Stretch] = []
        rest: list[Stretch] = []
        while self.stretches and calls > 0:
            stretch = self.stretches.popleft()
            calls -= len(stretch.calls)
            inside = [call for call in stretch.calls if hash(call[0]) % shares == share]
            if len(inside) in {0, len(stretch.calls)}:
                (front if inside else rest).append(stretch)
                continue
            outside = [call for call in stretch.calls if hash(call[0]) % shares != share]
            ours, others = stretch.divide(inside, outside)
            front.append(ours)
            rest.append(others)
        self.stretches.extendleft(reversed(front + rest))

    def reset(self, stretches: Iterable[Stretch]) -> None:
        """Hold these, by their age, and nothing else."""
        self.stretches = deque(sorted(stretches, key=_since))
        self.calls = sum(len(stretch.calls) for stretch in self.stretches)
        self.size = sum(stretch.size for stretch in self.stretches)


def _may_grow(stretch: Stretch, now: float) -> bool:
    return len(stretch.calls) < STRETCH_CALLS and now - stretch.since <= STRETCH_SECONDS
