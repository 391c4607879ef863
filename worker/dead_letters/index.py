"""Which dead letters still wait: all except those resolved by a mark or superseded by a newer dead letter.

A mark follows the dead letters that it resolves, so the whole topic must be scanned before the state of any dead letter
is known. The index keeps two bits for each offset and, during the scan, 24 to 48 bytes for each source record: about
50 MB for a million dead letters while scanning, 250 kB afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING

from worker.dead_letters.dead_letter import DeadLetter, read_dead_letter
from worker.dead_letters.headers import Range, read_mark
from worker.dead_letters.offset_set import OffsetSet
from worker.dead_letters.origins import Origins

if TYPE_CHECKING:
    from worker.core.records import Record


class State(Enum):
    """The state of a dead letter."""

    WAITING = auto()
    RESOLVED = auto()  # a replay delivered it, ignored it, or wrote it again as a newer dead letter
    SUPERSEDED = auto()  # its source record has a newer dead letter


class Index:
    """The state of every dead letter in the topic, built by one scan.

    Args:
        bounds: the first offset of each partition, and the offset before which the scan ends.

    Attributes:
        foreign: how many records are neither dead letters nor marks.
    """

    def __init__(self, bounds: Mapping[int, tuple[int, int]]) -> None:
        self._resolved = {number: OffsetSet(*each) for number, each in bounds.items()}
        self._superseded = {number: OffsetSet(*each) for number, each in bounds.items()}
        self._origins: Origins | None = Origins()
        self.foreign = 0

    def add(self, record: Record) -> None:
        """Add the next record of the scan."""
        letter = read_dead_letter(record, "")
        if letter is not None:
            self._add_dead_letter(letter)
        elif (mark := read_mark(record)) is not None:
            self._add_mark(*mark)
        else:
            self.foreign += 1

    def finish(self) -> None:
        """End the scan and free what only the scan needs."""
        self._origins = None

    def state(self, partition: int, offset: int) -> State:
        """The state of the dead letter at this position."""
        if offset in self._resolved[partition]:
            return State.RESOLVED
        return State.SUPERSEDED if offset in self._superseded[partition] else State.WAITING

    def counts(self) -> tuple[int, int]:
        """How many dead letters are resolved, and how many others are superseded."""
        numbers = list(self._resolved)
        superseded = sum(len(self._superseded[each] - self._resolved[each]) for each in numbers)
        return sum(len(self._resolved[each]) for each in numbers), superseded

    def _add_dead_letter(self, letter: DeadLetter) -> None:
        assert self._origins is not None, "the scan is over"
        if letter.origin is None:
            return  # without a source record there is nothing that a newer dead letter could share with it
        record = letter.record
        older = self._origins.add(letter.identity, record.partition(), record.offset())
        if older is not None:
            self._superseded[older[0]].add(older[1])

    def _add_mark(self, partition: int, ranges: list[Range]) -> None:
        if partition in self._resolved:
            for first, last in ranges:
                self._resolved[partition].add(first, last)
