"""Calls that may go into a request now."""

from __future__ import annotations

from bisect import insort
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING

from worker.core.lanes.stretch import Stretch

if TYPE_CHECKING:
    from worker.core.lanes.track import Track
    from worker.core.model import QueuedCall

STRETCH_CALLS = 256
"""A shorter stretch at the end grows by what comes next."""

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
        if last is None or last.track is not track or len(last.calls) >= STRETCH_CALLS:
            self.enter(Stretch(track, now, calls))
        else:
            self.size -= last.size
            last.extend(calls)
            self.size += last.size
            self.calls += len(calls)
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

    def remove(self, stretch: Stretch) -> None:
        """Leave a stretch out, whether it is finished or not."""
        self.stretches.remove(stretch)
        self.calls -= len(stretch.calls)
        self.size -= stretch.size

    def keep(self, stretch: Stretch, calls: list[QueuedCall]) -> None:
        """Leave out all but these calls of a stretch: the others are unfinished somewhere else."""
        if not calls:
            self.remove(stretch)
            stretch.finish()
            return
        before, size = len(stretch.calls), stretch.size
        stretch.keep(calls)
        self.calls -= before - len(calls)
        self.size -= size - stretch.size
