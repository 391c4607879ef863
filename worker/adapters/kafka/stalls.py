"""Finds partitions that have records to read and room for them, but do not advance.

The invariant: a partition that is assigned, not paused, and whose end is beyond its position, advances. The client's
positions and the brokers' ends decide, because the worker's own copy of that state may be what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_END, Consumer

from worker.adapters.kafka.start_offsets import offsets_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from worker.adapters.kafka.assignment import Assignment
    from worker.core.records import Partition

LOOK_SECONDS = 5.0
"""How often the client's positions are compared: six times within `STALL_SECONDS`."""

STALL_SECONDS = 30.0
"""How long a partition with records to read may stay where it is: longer than a leader election or a slow fetch."""

BUSY_FACTOR = 10
"""So many times longer while every poll returns records: this partition's may be queued behind them in the client."""

LONGEST_SECONDS = 600.0
"""A restart discards what was fetched ahead, so each one that does not help doubles the wait, up to this."""


class StallDetector:
    """Watches positions.

    Attributes:
        stalled: the partitions that were restarted and have not advanced since.
    """

    def __init__(self) -> None:
        self.stalled: set[Partition] = set()
        self._looked_at = 0.0
        self._positions: dict[Partition, int] = {}
        self._since: dict[Partition, float] = {}
        self._patience: dict[Partition, float] = {}
        self._ends_seen: dict[Partition, int] = {}

    def is_due(self, now: float) -> bool:
        """Whether it is time to compare positions again."""
        return now - self._looked_at >= LOOK_SECONDS

    def reached_end(self, partition: Partition, offset: int) -> None:
        """The client reported the end: there are no more records below this offset."""
        self._ends_seen[partition] = offset

    def no_room(self) -> None:
        """Nothing may be fetched, so no partition is expected to advance."""
        self._since.clear()

    def look(self, now: float, positions: Mapping[Partition, int], *, busy: bool) -> list[Partition]:
        """Compare positions with the last ones.

        Args:
            now: monotonic seconds.
            positions: of all partitions that may be read, as the client has them.
            busy: whether each poll since the last look returned records.

        Returns:
            The partitions that have not advanced for too long. They are stalled only if there are records to read.
        """
        self._looked_at = now
        for gone in self._positions.keys() - positions.keys():
            self._forget(gone)
        for partition, position in positions.items():
            if self._positions.get(partition) != position:
                self._forget(partition)
                self._positions[partition] = position
            self._since.setdefault(partition, now)
        factor = BUSY_FACTOR if busy else 1
        return [
            each
            for each, since in self._since.items()
            if now - since >= factor * self._patience.get(each, STALL_SECONDS)
        ]

    def judge(self, now: float, quiet: Iterable[Partition], ends: Mapping[Partition, int]) -> list[Partition]:
        """Which of the quiet partitions must be restarted: those with records below their ends."""
        found = []
        for partition in quiet:
            self._since[partition] = now
            if ends[partition] > max(self._positions[partition], self._ends_seen.get(partition, 0)):
                patience = 2 * self._patience.get(partition, STALL_SECONDS)
                self._patience[partition] = min(patience, LONGEST_SECONDS)
                self.stalled.add(partition)
                found.append(partition)
            else:
                self.stalled.discard(partition)
        return found

    def _forget(self, partition: Partition) -> None:
        self.stalled.discard(partition)
        for known in (self._positions, self._since, self._patience, self._ends_seen):
            known.pop(partition, None)


def restart_stalled(
    detector: StallDetector, consumer: Consumer, assignment: Assignment, now: float, *, busy: bool
) -> list[Partition]:
    """Look once, and restart the fetching of stalled partitions.

    Returns:
        The partitions that were restarted.

    Raises:
        KafkaException: a broker did not report its ends.
    """
    quiet = detector.look(now, assignment.positions(), busy=busy)
    stalled = detector.judge(now, quiet, offsets_at(consumer, quiet, OFFSET_END))
    if stalled:
        assignment.restart_fetching(stalled)
    return stalled
