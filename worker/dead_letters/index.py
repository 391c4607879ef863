"""Which letters of the topic still wait: all but those that a mark resolves or a newer letter supersedes.

Marks stand behind the letters that they resolve, so one scan of the topic has to come before anything is said of
it. It keeps, for each offset, two bits, and for each record that has a letter 24 to 48 bytes, which are freed when
the scan is over: a million letters take about 50 MB on the way and 250 kB after.
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
    """Where a letter stands."""

    WAITING = auto()
    RESOLVED = (
        auto()
    )  # delivered by a replay, ignored by the mapping then, or written again as a newer letter
    SUPERSEDED = auto()  # its record has a newer letter


class Index:
    """What one scan of the dead-letter topic has found.

    Args:
        bounds: of each partition: its first offset, and the end up to which it is read.

    Attributes:
        foreign: records that are neither letters nor marks.
    """

    def __init__(self, bounds: Mapping[int, tuple[int, int]]) -> None:
        self._resolved = {number: OffsetSet(*each) for number, each in bounds.items()}
        self._superseded = {number: OffsetSet(*each) for number, each in bounds.items()}
        self._origins: Origins | None = Origins()
        self.foreign = 0

    def note(self, record: Record) -> None:
        """Take in the next record of the topic."""
        letter = read_dead_letter(record, "")
        if letter is not None:
            self._note_letter(letter)
        elif (mark := read_mark(record)) is not None:
            self._note_mark(*mark)
        else:
            self.foreign += 1

    def finish(self) -> None:
        """The scan is over: what is only needed on the way is given back."""
        self._origins = None

    def state(self, partition: int, offset: int) -> State:
        """Where the letter at this place stands."""
        if offset in self._resolved[partition]:
            return State.RESOLVED
        return State.SUPERSEDED if offset in self._superseded[partition] else State.WAITING

    def done(self) -> tuple[int, int]:
        """How many letters are resolved, and how many others are superseded."""
        numbers = list(self._resolved)
        superseded = sum(len(self._superseded[each] - self._resolved[each]) for each in numbers)
        return sum(len(self._resolved[each]) for each in numbers), superseded

    def _note_letter(self, letter: DeadLetter) -> None:
        assert self._origins is not None, "the scan is over"
        if letter.origin is None:
            return  # nobody can say whose it is: it counts by itself
        record = letter.record
        older = self._origins.note(letter.identity, record.partition(), record.offset())
        if older is not None:
            self._superseded[older[0]].add(older[1])

    def _note_mark(self, partition: int, ranges: list[Range]) -> None:
        if partition in self._resolved:
            for first, last in ranges:
                self._resolved[partition].add(first, last)
