"""Whether everything up to the ends that partitions had when they were assigned is finished and committed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from worker.core.records import Partition

if TYPE_CHECKING:
    from worker.core.lanes import PartitionState
    from worker.pipeline.ports import Fetched, Start


class CaughtUp:
    """Knows the ends.

    A committed offset beyond the end is a position that the brokers have not confirmed: the log was cut or made anew.
    It counts for nothing until they have returned something there, or the source begins at another offset.
    """

    def __init__(self) -> None:
        self._ends: dict[Partition, int] = {}
        self._unconfirmed: set[Partition] = set()

    def assigned(self, partition: Partition, start: Start) -> None:
        """A partition begins."""
        self._ends[partition] = start.end
        if start.offset > start.end:
            self._unconfirmed.add(partition)
        else:
            self._unconfirmed.discard(partition)

    def forget(self, partition: Partition) -> None:
        """It is not ours any more."""
        self._ends.pop(partition, None)
        self._unconfirmed.discard(partition)

    def fetched(self, fetched: Fetched) -> None:
        """What the brokers returned confirms positions."""
        if self._unconfirmed:
            self._unconfirmed -= fetched.positions.keys()
            self._unconfirmed -= {(each.topic(), each.partition()) for each in fetched.records}

    def holds(self, states: Iterable[PartitionState]) -> bool:
        """Whether all of these are caught up with; no partitions at all are."""
        return not self._unconfirmed and all(
            state.offsets.next_offset >= self._ends[state.partition]
            and state.offsets.committed == state.offsets.next_offset
            for state in states
        )
