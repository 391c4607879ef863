"""How much is in progress: fetched, and not committed past."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(slots=True)
class Load:
    """Records, and bytes of them and their calls."""

    records: int = 0
    size: int = 0

    def add(self, records: int, size: int) -> None:
        """Add to it; negative numbers take away."""
        self.records += records
        self.size += size


class InProgress(Load):
    """Records and bytes of one assignment that are accepted and not committed.

    They are counted by slice: a commit frees a slice once it passes the slice's last record.

    Args:
        whole: the sum over all assignments, which is kept because thousands of partitions are too many to add up at
            each fetch.
    """

    __slots__ = ("_slices", "_whole")

    def __init__(self, whole: Load | None = None) -> None:
        super().__init__()
        self._slices: deque[tuple[int, int, int]] = deque()
        self._whole = whole or Load()

    def accept(self, next_offset: int, records: int, size: int) -> None:
        """Account for a slice of records below `next_offset`, of `size` bytes with its calls."""
        self._slices.append((next_offset, records, size))
        self.add(records, size)
        self._whole.add(records, size)

    def commit(self, offset: int) -> None:
        """`offset` was committed: stop counting the slices below it."""
        while self._slices and self._slices[0][0] <= offset:
            _, records, size = self._slices.popleft()
            self.add(-records, -size)
            self._whole.add(-records, -size)

    def leave(self) -> None:
        """The assignment ends: take it out of the sum. What happens to it later does not change the sum."""
        self._whole.add(-self.records, -self.size)
        self._whole = Load()
