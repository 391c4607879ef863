"""Which offset of a partition may be committed."""

from __future__ import annotations

import heapq

from worker.core.records import Record


class Mark:
    """Holds a record's place among the unfinished until `finish`."""

    __slots__ = ("record",)

    def __init__(self, record: Record) -> None:
        self.record: Record | None = record

    def finish(self) -> None:
        """The calls that this mark stands for are delivered or refused, or another mark stands for them now."""
        self.record = None


class OffsetTracker:
    """The offsets of one assignment: read, finished and committed.

    Attributes:
        next_offset: the next offset to read.
        committed: the group's committed offset; None if there is none yet.
    """

    __slots__ = ("_acknowledged", "_aside", "_marks", "_started", "committed", "next_offset")

    def __init__(self, next_offset: int, committed: int | None = None) -> None:
        self.next_offset = next_offset
        self.committed = committed
        # A finished mark stays in the heap until it comes to the top: removing it from the middle would be O(n).
        self._marks: list[tuple[int, int, Mark]] = []
        self._started = 0
        # The records that are, or become, dead letters: whether the broker has acknowledged each. An offset stays
        # here until a commit passes it, so that a second refused call of the same record writes no second dead letter.
        self._acknowledged: dict[int, bool] = {}
        self._aside: dict[int, Record] = {}

    def advance(self, next_offset: int) -> None:
        """Everything below this offset was read; it never moves back."""
        self.next_offset = max(self.next_offset, next_offset)

    def start(self, record: Record) -> Mark:
        """Hold the commit back at this record, for it and for younger ones that finish with it."""
        mark = Mark(record)
        self._started += 1  # makes two marks of one record comparable
        heapq.heappush(self._marks, (record.offset(), self._started, mark))
        return mark

    def oldest_unfinished(self) -> Record | None:
        """The oldest record with an unfinished call; None if there is none."""
        while self._marks:
            record = self._marks[0][2].record
            if record is not None:
                return record
            heapq.heappop(self._marks)
        return None

    def set_aside(self, record: Record) -> None:
        """Hold the commit back at a record that was read and is mapped later, until `resume`."""
        self._aside[record.offset()] = record

    def is_aside(self, offset: int) -> bool:
        """Whether a record was set aside."""
        return offset in self._aside

    def resume(self, offset: int) -> None:
        """A record that was set aside is mapped: its calls hold the commit back now, if it has any."""
        self._aside.pop(offset, None)

    def oldest_undelivered(self) -> Record | None:
        """The oldest record that has an unfinished call or was set aside; None if there is none."""
        waiting = [self._aside[min(self._aside)]] if self._aside else []
        unfinished = self.oldest_unfinished()
        return min([*waiting, *([unfinished] if unfinished else [])], key=_offset, default=None)

    def reject(self, offset: int) -> bool:
        """Hold the commit back until the record's dead letter is acknowledged; False if it was rejected before."""
        if offset in self._acknowledged:
            return False
        self._acknowledged[offset] = False
        return True

    def dead_letter_acknowledged(self, offset: int) -> None:
        """The broker has the dead letter of this record."""
        self._acknowledged[offset] = True

    @property
    def all_committed(self) -> bool:
        """Whether the commit has reached the next offset to read, so that there is nothing to commit. Cheap."""
        return self.committed == self.next_offset

    def committable(self) -> int:
        """The oldest offset that is not finished, else the next to read.

        Offsets may have gaps (compaction, transaction markers); only unfinished records hold the commit back.
        """
        bounds = [offset for offset, acknowledged in self._acknowledged.items() if not acknowledged]
        bounds.append(self.next_offset)
        bounds.extend(self._aside)
        if (oldest := self.oldest_unfinished()) is not None:
            bounds.append(oldest.offset())
        return min(bounds)

    def commit(self, offset: int) -> None:
        """`offset` was committed."""
        self.committed = offset
        for finished in [each for each in self._acknowledged if each < offset]:
            del self._acknowledged[finished]


def _offset(record: Record) -> int:
    return record.offset()
