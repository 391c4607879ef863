"""Which dead letters wait, and which are resolved, for the whole topic.

A source record may have several dead letters: one for each time that it failed again, or two because a worker crashed
between writing one and committing. The newest speaks for the record, and the record counts once:

- its newest dead letter is the last one named by a mark that resolves: the record is *resolved*;
- otherwise it *waits*. If it has older dead letters, these have *failed again*.

Marks follow the dead letters that they name, so the whole topic must be scanned before the state of any dead letter
is known. The index keeps four bits for each offset and, during the scan, 30 to 60 bytes for each source record: about
60 MB for a million dead letters while scanning, 500 kB afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from worker.dead_letters.dead_letter import DeadLetter, read_dead_letter
from worker.dead_letters.marks import Mark, read_mark
from worker.dead_letters.offset_set import OffsetSet
from worker.dead_letters.origins import Origins

if TYPE_CHECKING:
    from worker.core.records import Record


class State(Enum):
    """The state of a dead letter."""

    WAITING = auto()
    RESOLVED = auto()  # by a replay that delivered or ignored it, or by hand
    REPLACED = auto()  # its source record has a newer dead letter, whose state counts


class Counts(NamedTuple):
    """How many source records have their dead letters in each state.

    Attributes:
        waiting, resolved: by the newest dead letter.
        failed_again: of those that wait, how many have older dead letters in the topic.
    """

    waiting: int
    resolved: int
    failed_again: int


class Index:
    """The state of every dead letter in the topic, built by one scan.

    Args:
        bounds: the first offset of each partition, and the offset before which the scan ends.

    Attributes:
        foreign: how many records are neither dead letters nor marks.
    """

    def __init__(self, bounds: Mapping[int, tuple[int, int]]) -> None:
        self._letters, self._resolved, self._replaced, self._repeated = (
            {number: OffsetSet(*each) for number, each in bounds.items()} for _ in range(4)
        )
        self._origins: Origins | None = Origins()
        self.foreign = 0

    def add(self, record: Record) -> Mark | None:
        """Add the next record of the scan; returns it if it is a mark."""
        letter = read_dead_letter(record, "")
        mark = read_mark(record) if letter is None else None
        if letter is not None:
            self._add_dead_letter(letter)
        elif mark is not None:
            self._add_mark(mark)
        else:
            self.foreign += 1
        return mark

    def finish(self) -> None:
        """End the scan and free what only the scan needs."""
        self._origins = None

    def state(self, partition: int, offset: int) -> State:
        """The state of the dead letter at this position."""
        if offset in self._replaced[partition]:
            return State.REPLACED
        return State.RESOLVED if offset in self._resolved[partition] else State.WAITING

    def is_marked(self, partition: int, offset: int) -> bool:
        """Whether a mark resolves the dead letter at this position, even if a newer one replaces it."""
        return offset in self._resolved[partition]

    def counts(self) -> Counts:
        """How many source records are in each state."""
        waiting = resolved = failed_again = 0
        for number, letters in self._letters.items():
            newest = letters - self._replaced[number]
            unresolved = newest - self._resolved[number]
            waiting += len(unresolved)
            resolved += len(newest) - len(unresolved)
            failed_again += len(unresolved & self._repeated[number])
        return Counts(waiting, resolved, failed_again)

    def _add_dead_letter(self, letter: DeadLetter) -> None:
        assert self._origins is not None, "the scan is over"
        place = letter.place
        self._letters[place.partition].add(place.offset)
        if letter.origin is None:
            return  # without a source record there is nothing that a newer dead letter could share with it
        pair = self._origins.add(letter.identity, place)
        if pair is not None:
            older, newer = pair
            self._replaced[older.partition].add(older.offset)
            self._repeated[newer.partition].add(newer.offset)

    def _add_mark(self, mark: Mark) -> None:
        resolved = self._resolved.get(mark.partition)
        if resolved is not None:
            for span in mark.ranges:
                if mark.resolves:
                    resolved.add(*span)
                else:
                    resolved.remove(*span)


class History:
    """What became of one dead letter: the newest of its source record, and the last mark that names that one.

    Args:
        letter: the dead letter.

    Attributes:
        newest: the newest dead letter of the same source record.
        mark: resolves it; None if it waits.
    """

    def __init__(self, letter: DeadLetter) -> None:
        self.newest = letter
        self.mark: Mark | None = None

    @property
    def state(self) -> State:
        """The state of the source record: `WAITING` or `RESOLVED`."""
        return State.WAITING if self.mark is None else State.RESOLVED

    def add(self, record: Record) -> None:
        """Add the next record of a scan."""
        mark = read_mark(record)
        if mark is not None:
            if mark.names(self.newest.place.partition, self.newest.place.offset):
                self.mark = mark if mark.resolves else None
            return
        letter = read_dead_letter(record, self.newest.cluster_id)
        if letter is None or letter.origin is None or letter.identity != self.newest.identity:
            return
        if letter.place.is_newer_than(self.newest.place):
            self.newest, self.mark = letter, None
