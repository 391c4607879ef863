"""Which of a partition's records is the oldest that is not finished."""

from __future__ import annotations

import heapq

from worker.core.records import Record


class Mark:
    """Holds a record's place among the unfinished until `finish`."""

    __slots__ = ("record",)

    def __init__(self, record: Record) -> None:
        self.record: Record | None = record

    def finish(self) -> None:
        """Whatever this stood for needs nothing more."""
        self.record = None


class Unfinished:
    """Marks, by the offsets of their records. One that was finished leaves when it comes to the top."""

    def __init__(self) -> None:
        self._marks: list[tuple[int, int, Mark]] = []
        self._entered = 0

    def enter(self, record: Record) -> Mark:
        """A mark for this record and for younger ones that finish with it."""
        mark = Mark(record)
        self._entered += 1  # so that two marks of one record compare
        heapq.heappush(self._marks, (record.offset(), self._entered, mark))
        return mark

    def oldest(self) -> Record | None:
        """The oldest record with a mark; None if there is none."""
        while self._marks:
            record = self._marks[0][2].record
            if record is not None:
                return record
            heapq.heappop(self._marks)
        return None
