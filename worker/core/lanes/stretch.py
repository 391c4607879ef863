"""Calls that travel together."""

from __future__ import annotations

from worker.core.lanes.track import Track
from worker.core.records import QueuedCall


class Stretch:
    """Calls of one assignment that travel together, in the order of their offsets. They are unfinished until `finish`.

    Attributes:
        since: when the first of them came.
        calls: at least one.
        size: their bytes, with the comma behind each.
    """

    __slots__ = ("_mark", "calls", "since", "size", "track")

    def __init__(self, track: Track, since: float, calls: list[QueuedCall]) -> None:
        self.track = track
        self.since = since
        self.calls = calls
        self.size = _size(calls)
        self._mark = track.unfinished.enter(calls[0][2])

    def extend(self, calls: list[QueuedCall]) -> None:
        """Younger calls come along."""
        self.calls += calls
        self.size += _size(calls)

    def keep(self, calls: list[QueuedCall]) -> None:
        """Only these of its calls stay, if any; all others are unfinished somewhere else."""
        if not calls:
            self.finish()
        elif calls[0] is not self.calls[0]:
            self._mark.finish()
            self._mark = self.track.unfinished.enter(calls[0][2])
        self.calls = calls
        self.size = _size(calls)

    def divide(self, first: list[QueuedCall], second: list[QueuedCall]) -> tuple[Stretch, Stretch]:
        """The two that take its place."""
        halves = Stretch(self.track, self.since, first), Stretch(self.track, self.since, second)
        self.finish()
        return halves

    def finish(self) -> None:
        """Its calls are delivered or refused, or unfinished somewhere else."""
        self._mark.finish()


def _size(calls: list[QueuedCall]) -> int:
    """The bytes of calls, with the comma behind each."""
    return sum([len(call[1]) for call in calls])
