"""Records that were fetched but not mapped yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby

from worker.core.lanes import PartitionState
from worker.core.records import Partition, Record

Entry = tuple[PartitionState, Sequence[Record], int | None]
"""An assignment, and either records of it, or no records and the next offset once all earlier entries are mapped."""


class Backlog:
    """Fetched records in the order of their arrival. Nothing commits past them until they are mapped.

    Records of a topic whose mapping is not compiled yet are set aside, so that other topics do not wait for them.
    """

    def __init__(self) -> None:
        self._ready: deque[Entry] = deque()
        self._aside: dict[str, deque[Entry]] = {}

    @property
    def is_ready(self) -> bool:
        """Whether there may be records to map now."""
        return bool(self._ready)

    def weight(self) -> tuple[int, int]:
        """The number of records and the bytes of their values. Computed on each call: usually the backlog is empty."""
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
        """Add the result of one fetch, see `ports.Fetched`. Records of partitions that are not assigned are dropped."""
        for run in runs(records):
            if state := states.get((run[0].topic(), run[0].partition())):
                self._ready.append((state, run, None))
        for partition, position in positions.items():
            if state := states.get(partition):
                self._ready.append((state, (), position))

    def next(self, mappable: Iterable[str]) -> tuple[PartitionState, Sequence[Record]] | None:
        """The oldest records of one assignment whose topic is among `mappable`; None if there are none.

        On the way it sets records of other topics aside, applies positions, and drops entries of revoked partitions.
        """
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
        """Remove the first `n` records that `next` returned: they are mapped."""
        state, records, _ = self._ready.popleft()
        if n < len(records):
            self._ready.appendleft((state, records[n:], None))

    def leave(self, ready: Sequence[Record], *, of: int, next_offset: int) -> None:
        """Leave only some of the first records that `next` returned: the others are set aside.

        Args:
            ready: those that are left.
            of: how many records they are among.
            next_offset: the next offset after these.
        """
        state, records, _ = self._ready.popleft()
        if of < len(records):
            self._ready.appendleft((state, records[of:], None))
        self._ready.appendleft((state, (), next_offset))
        if ready:
            self._ready.appendleft((state, ready, None))

    def put_back(self, state: PartitionState, records: Sequence[Record]) -> None:
        """Add records that were set aside by `leave`: they are older than all that will be fetched."""
        self._ready.append((state, records, None))

    def waiting(self) -> list[str]:
        """The topics whose records are set aside."""
        return list(self._aside)

    def resume(self, topic: str) -> None:
        """Put a topic's records back in front: its mapping is compiled now, and they are older than the others."""
        self._ready.extendleft(reversed(self._aside.pop(topic, ())))

    def clear(self) -> None:
        """Drop everything. None of it was committed, so it is fetched again later."""
        self._ready.clear()
        self._aside.clear()


def runs(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Split records into runs of one partition each; the client usually returns a partition's records together."""
    numbers, topics = [record.partition() for record in records], [record.topic() for record in records]
    one_topic = topics.count(topics[0]) == len(topics) if topics else True
    start = 0
    for _, same in groupby(numbers if one_topic else zip(topics, numbers, strict=True)):
        end = start + len(list(same))
        yield records[start:end]
        start = end
