"""Decides when `run --until-caught-up` is done: when all partitions are committed up to the ends they began with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from worker.core.records import Partition

if TYPE_CHECKING:
    from worker.core.lanes import PartitionState
    from worker.pipeline.ports import Fetched, Start


class CaughtUp:
    """The end offset of each partition at the time of its assignment.

    A committed offset beyond the end may be wrong: the log was truncated, or the topic was recreated. Such a partition
    does not count as caught up until the brokers have returned something at that position, or it starts at another one.
    """

    def __init__(self) -> None:
        self._ends: dict[Partition, int] = {}
        self._unconfirmed: set[Partition] = set()

    def assigned(self, partition: Partition, start: Start) -> None:
        """Remember the end of a partition that was assigned."""
        self._ends[partition] = start.end
        if start.offset > start.end:
            self._unconfirmed.add(partition)
        else:
            self._unconfirmed.discard(partition)

    def forget(self, partition: Partition) -> None:
        """Forget a partition that was revoked or lost."""
        self._ends.pop(partition, None)
        self._unconfirmed.discard(partition)

    def fetched(self, fetched: Fetched) -> None:
        """Confirm the positions of partitions for which the brokers have returned something."""
        if self._unconfirmed:
            self._unconfirmed -= fetched.positions.keys()
            self._unconfirmed -= {(each.topic(), each.partition()) for each in fetched.records}

    def holds(self, states: Iterable[PartitionState]) -> bool:
        """Whether all of these partitions are caught up; True if there are none."""
        return not self._unconfirmed and all(
            state.offsets.next_offset >= self._ends[state.partition] and state.offsets.all_committed
            for state in states
        )
