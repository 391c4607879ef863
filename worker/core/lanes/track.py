"""One assignment of one partition: its lanes, and what may be committed."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from worker.core.model import Partition, Record

LANES = 64
"""Lanes of a partition: how many keys' worth of order can be in different requests at once."""

QueuedCall = tuple[bytes, Record, int]
"""A call's exact bytes and a comma, the record it comes from, and its index among that record's calls.

Adding the comma copies the bytes, which is worth it by itself: the encoder's own buffer is ten times as large as a
usual call.
"""


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


class Group:
    """Ready lanes whose head has the same envelope, in the order in which they became ready.

    Attributes:
        left_at: when one of them last went because it had lingered: who waited by then goes as well.
    """

    __slots__ = ("calls", "envelope", "lanes", "left_at", "size")

    def __init__(self, envelope: bytes) -> None:
        self.envelope = envelope
        self.lanes: dict[Lane, None] = {}
        self.calls = 0
        self.size = 0
        self.left_at = -math.inf


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
