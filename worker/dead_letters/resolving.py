"""Which dead letters `dlq resolve` marks: those selected, and all older ones of the same source records.

Without the older ones, a dead letter whose newer one retention has deleted first would seem to wait again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from worker.dead_letters.index import Index, State
from worker.dead_letters.marks import How, Mark
from worker.dead_letters.offset_set import ranges
from worker.dead_letters.values import Values

if TYPE_CHECKING:
    from worker.dead_letters.dead_letter import DeadLetter
    from worker.dead_letters.origins import Place
    from worker.dead_letters.selection import Filters

Position = tuple[int, int]
"""Partition and offset in the dead-letter topic."""


class Resolving:
    """Collects the dead letters to be marked, in a second scan.

    Args:
        index: the state of each dead letter.
        filters: select by newest dead letters; None if `named` does.
        named: these, with all older ones of their source records.
        undo: whether to write the opposite mark, so that they wait again.

    Attributes:
        selected: how many source records change their state.
        already: of `named`, the handles that are in that state already.
        newer: of `named`, the handles whose source record has a newer dead letter, which keeps its state.
        values: what the dead letters that could be selected have.
    """

    def __init__(
        self, index: Index, filters: Filters | None, named: Sequence[DeadLetter] = (), *, undo: bool = False
    ) -> None:
        self._index = index
        self._filters = filters
        self._undo = undo
        self._from = State.RESOLVED if undo else State.WAITING
        self._limits: dict[bytes, Place] = {}
        self._marked: set[Position] = set()
        self._chosen: set[int] = set()
        self._older: defaultdict[int, list[Position]] = defaultdict(list)
        self.selected = 0
        self.already: list[str] = []
        self.newer: list[str] = []
        self.values = Values()
        for each in named:
            limit = self._limits.get(_record(each))
            if limit is None or each.place.is_newer_than(limit):
                self._limits[_record(each)] = each.place
            self._judge(each)

    def add(self, letter: DeadLetter) -> None:
        """Add the next dead letter of the scan."""
        if self._filters is None:
            limit = self._limits.get(_record(letter))
            if limit is not None and not letter.place.is_newer_than(limit):
                self._marked.add(_position(letter.place))
        else:
            self._add_filtered(letter, self._filters)

    def marks(self, who: str, note: str) -> Iterator[Mark]:
        """The marks to be written: one for each partition."""
        offsets: defaultdict[int, list[int]] = defaultdict(list)
        for partition, offset in sorted(self._marked):
            offsets[partition].append(offset)
        for partition, found in offsets.items():
            spans = list(ranges(found))
            yield Mark(partition, spans, resolves=not self._undo, who=who, how=How.BY_HAND, note=note)

    def _judge(self, letter: DeadLetter) -> None:
        state = self._state(letter)
        if state is State.REPLACED:
            self.newer.append(letter.handle)
        elif state is self._from:
            self.selected += 1
        else:
            self.already.append(letter.handle)

    def _add_filtered(self, letter: DeadLetter, filters: Filters) -> None:
        state, position, identity = self._state(letter), _position(letter.place), hash(_record(letter))
        if state is self._from:
            self.values.count(letter)
            if filters.match(letter):
                self.selected += 1
                self._chosen.add(identity)
                self._marked |= {position, *self._older.pop(identity, ())}
        elif state is State.REPLACED and self._index.is_marked(*position) is self._undo:
            if identity in self._chosen:
                self._marked.add(position)
            else:
                self._older[identity].append(position)

    def _state(self, letter: DeadLetter) -> State:
        return self._index.state(*_position(letter.place))


def _record(letter: DeadLetter) -> bytes:
    """Equal for all dead letters of the same source record; one that does not name its record stands alone."""
    return letter.identity if letter.origin is not None else letter.handle.encode()


def _position(place: Place) -> Position:
    return place.partition, place.offset
