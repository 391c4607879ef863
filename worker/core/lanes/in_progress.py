"""How much of a partition is in progress: fetched, and not committed past."""

from __future__ import annotations

from collections import deque


class InProgress:
    """Records and bytes of one assignment that are accepted and not committed.

    They are counted by slice: a commit frees a slice once it passes the slice's last record.

    Attributes:
        records: how many.
        size: bytes of the records and their calls.
    """

    __slots__ = ("_slices", "records", "size")

    def __init__(self) -> None:
        self._slices: deque[tuple[int, int, int]] = deque()
        self.records = 0
        self.size = 0

    def accept(self, next_offset: int, records: int, size: int) -> None:
        """Account for a slice of records below `next_offset`, of `size` bytes with its calls."""
        self._slices.append((next_offset, records, size))
        self.records += records
        self.size += size

    def commit(self, offset: int) -> None:
        """`offset` was committed: stop counting the slices below it."""
        while self._slices and self._slices[0][0] <= offset:
            _, records, size = self._slices.popleft()
            self.records -= records
            self.size -= size
