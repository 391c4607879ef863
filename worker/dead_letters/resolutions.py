"""Who resolved each dead letter, how and when, for `dlq list --resolved`."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import NamedTuple

from worker.dead_letters.marks import Mark


class Resolution(NamedTuple):
    """What the last mark of a dead letter says, see `Mark`; `at` in whole epoch seconds."""

    who: str
    how: str
    note: str
    at: int


class Resolutions:
    """The last mark of each dead letter: four bytes for each offset, and each distinct mark once.

    Args:
        bounds: the first offset of each partition, and the offset before which the scan ends.
    """

    def __init__(self, bounds: Mapping[int, tuple[int, int]]) -> None:
        self._firsts = {number: first for number, (first, _) in bounds.items()}
        self._last = {
            number: array("I", [0]) * max(0, end - first) for number, (first, end) in bounds.items()
        }
        self._known = [Resolution("", "", "", 0)]
        self._numbers = {self._known[0]: 0}

    def add(self, mark: Mark) -> None:
        """Add the next mark of the scan."""
        last = self._last.get(mark.partition)
        if last is None:
            return
        said = Resolution(mark.who, mark.how, mark.note, int(mark.at))
        number = self._numbers.setdefault(said, len(self._known))
        if number == len(self._known):
            self._known.append(said)
        begin = self._firsts[mark.partition]
        for first, end in mark.ranges:
            span = slice(max(first - begin, 0), min(end - begin + 1, len(last)))
            if span.start < span.stop:
                last[span] = array("I", [number]) * (span.stop - span.start)

    def of(self, partition: int, offset: int) -> Resolution:
        """The last mark that names the dead letter at this position."""
        return self._known[self._last[partition][offset - self._firsts[partition]]]
