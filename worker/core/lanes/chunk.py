"""A run of calls of one partition that travel together."""

from __future__ import annotations

from worker.core.lanes.partition_state import PartitionState
from worker.core.records import BODY, RECORD, QueuedCall


class Chunk:
    """Calls of one assignment that travel together, in the order of their offsets. They are unfinished until `finish`.

    Attributes:
        state: the assignment.
        since: when the first of the calls was queued.
        calls: at least one.
        size: their bytes, including the comma after each.
    """

    __slots__ = ("_mark", "calls", "since", "size", "state")

    def __init__(self, state: PartitionState, since: float, calls: list[QueuedCall]) -> None:
        self.state = state
        self.since = since
        self.calls = calls
        self.size = _size(calls)
        self._mark = state.offsets.start(calls[0][RECORD])

    def extend(self, calls: list[QueuedCall]) -> None:
        """Add younger calls."""
        self.calls += calls
        self.size += _size(calls)

    def keep(self, calls: list[QueuedCall]) -> None:
        """Keep only these calls, if any; the others are in other chunks, or blocked behind one that is older."""
        if not calls:
            self.finish()
        elif calls[0] is not self.calls[0]:
            self._mark.finish()
            self._mark = self.state.offsets.start(calls[0][RECORD])
        self.calls = calls
        self.size = _size(calls)

    def divide(self, first: list[QueuedCall], second: list[QueuedCall]) -> tuple[Chunk, Chunk]:
        """The two chunks that take its place."""
        halves = Chunk(self.state, self.since, first), Chunk(self.state, self.since, second)
        self.finish()
        return halves

    def finish(self) -> None:
        """The calls are delivered or refused, or other chunks (or blocked calls) hold the commit back for them."""
        self._mark.finish()


def _size(calls: list[QueuedCall]) -> int:
    return sum([len(call[BODY]) for call in calls])
