"""Records that were fetched and are not mapped yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from worker.core.lanes import PartitionState
from worker.core.records import Partition, Record

Entry = tuple[PartitionState, Sequence[Record], int | None]
"""An assignment; records of it, or the position that it has reached once all before this entry is mapped."""


class Backlog:
    """Fetched records in the order in which they came. They hold the commit back until they are mapped.

    Records of a topic whose mapping is not compiled yet are set aside, so that others pass them.
    """

    def __init__(self) -> None:
        self._ready: deque[Entry] = deque()
        self._aside: dict[str, deque[Entry]] = {}

    @property
    def is_ready(self) -> bool:
        """Whether there may be records that can be mapped now."""
        return bool(self._ready)

    def weight(self) -> tuple[int, int]:
        """How many records there are, and bytes of their values. Counted when asked: mostly there are none."""
        count = size = 0
        for state, records, _ in chain(self._ready, *self._aside.values()):
            if not state.revoked:
                count += len(records)
                size += sum(len(record.value() or b"") for record in records)
        return count, size

    def add(
        self,
        states: Mapping[Partition, PartitionState],
        records: Sequence[Record],
        positions: Mapping[Partition, int],
    ) -> None:
        """Add what one fetch brought, see `ports.Fetched`; what belongs to no assignment is dropped."""
        for run in runs(records):
            if state := states.get((run[0].topic(), run[0].partition())):
                self._ready.append((state, run, None))
        for partition, position in positions.items():
            if state := states.get(partition):
                self._ready.append((state, (), position))

    def next(self, mappable: Iterable[str]) -> tuple[PartitionState, Sequence[Record]] | None:
        """The oldest records of one assignment whose topic is among `mappable`; None if there are none."""
        while self._ready:
            state, records, position = entry = self._ready[0]
            topic = state.partition[0]
            if not state.revoked:
                if topic not in mappable:
                    self._aside.setdefault(topic, deque()).append(entry)
                elif position is None:
                    return state, records
                else:
                    state.offsets.advance(position)
            self._ready.popleft()
        return None

    def mapped(self, n: int) -> None:
        """The first `n` records of what `next` returned are mapped."""
        state, records, _ = self._ready.popleft()
        if n < len(records):
            self._ready.appendleft((state, records[n:], None))

    def waiting(self) -> list[str]:
        """The topics whose records are set aside."""
        return list(self._aside)

    def resume(self, topic: str) -> None:
        """A topic's mapping is compiled: its records can be mapped."""
        self._ready.extendleft(reversed(self._aside.pop(topic, ())))

    def clear(self) -> None:
        """Forget everything: nothing of it was committed, so the next owner fetches it again."""
        self._ready.clear()
        self._aside.clear()


def runs(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Neighbours of one partition, as the client mostly brings them."""
    if not records:
        return
    numbers, topics = [record.partition() for record in records], [record.topic() for record in records]
    start = 0
    if numbers.count(numbers[0]) < len(numbers) or topics.count(topics[0]) < len(topics):
        for at in range(1, len(records)):
            if numbers[at] != numbers[at - 1] or topics[at] != topics[at - 1]:
                yield records[start:at]
                start = at
    yield records[start:]
