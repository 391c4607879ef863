"""One assignment of one partition: where the lanes of its keys stand, and what may be committed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from worker.core.lanes.unfinished import Unfinished
from worker.core.records import OrderKey, Partition, QueuedCall

Waiting = tuple[float, QueuedCall]
"""A call that waits behind its key's lane, and since when."""


@dataclass(slots=True, eq=False)
class Track:
    """One assignment of one partition.

    Attributes:
        upto: the next offset to read.
        committed: what Kafka holds for the group; None if nothing yet.
        lanes: of each key with unfinished calls the envelope whose queue holds them; None if a request does.
        behind: calls that wait until their key's lane has left that place, in order. They are younger than those that
            hold the lane, which hold the commit back for them too.
        unfinished: knows the oldest record with an unfinished call.
        letters: offsets of dead letters, and whether the broker has acknowledged each.
        withdrawn: nothing more is taken from it; what was not finished still holds the commit back.
        taken_in: `(upto, records, bytes)` of each slice that is not committed yet.
        records, size: their sums.
    """

    partition: Partition
    upto: int
    committed: int | None = None
    lanes: dict[OrderKey, bytes | None] = field(default_factory=dict)
    behind: dict[OrderKey, list[Waiting]] = field(default_factory=dict)
    unfinished: Unfinished = field(default_factory=Unfinished)
    letters: dict[int, bool] = field(default_factory=dict)
    withdrawn: bool = False
    taken_in: deque[tuple[int, int, int]] = field(default_factory=deque)
    records: int = 0
    size: int = 0

    def wait(self, call: QueuedCall, now: float) -> None:
        """Put a call behind those of its key."""
        waiting = self.behind.get(call[0])
        if waiting is None:
            self.behind[call[0]] = [(now, call)]
        else:
            waiting.append((now, call))

    def step_back(self, key: OrderKey, queued: list[Waiting]) -> None:
        """Put calls that were queued before those which wait behind the same key in front of them."""
        self.behind[key] = queued + self.behind.get(key, [])

    def abandon(self) -> None:
        """Take nothing more from it: what was not finished holds the commit back for good."""
        self.withdrawn = True
        for (_, oldest), *_ in self.behind.values():
            self.unfinished.enter(oldest[2])
        self.behind.clear()

    def take_in(self, upto: int, records: int, size: int) -> None:
        """Account for a slice of records below `upto` that weighs `size` bytes with its calls."""
        self.upto = upto
        self.taken_in.append((upto, records, size))
        self.records += records
        self.size += size

    def committable(self) -> int:
        """The oldest offset that is not finished, else the next to read. Gaps in offsets mean nothing."""
        oldest = self.unfinished.oldest()
        waiting = [offset for offset, acknowledged in self.letters.items() if not acknowledged]
        return min([self.upto, *waiting] if oldest is None else [self.upto, oldest.offset(), *waiting])

    def commit(self, offset: int) -> None:
        """Kafka holds `offset` now: what is below it needs nothing more."""
        self.committed = offset
        while self.taken_in and self.taken_in[0][0] <= offset:
            _, records, size = self.taken_in.popleft()
            self.records -= records
            self.size -= size
        for letter in [letter for letter in self.letters if letter < offset]:
            del self.letters[letter]
