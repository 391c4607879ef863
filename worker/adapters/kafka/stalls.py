"""Finds partitions that have records to read, and room for them, and of which nothing comes.

The invariant: a partition that is assigned, not paused, and whose end is beyond its position, moves. It is judged by
the client's own positions and the brokers' own ends, because what the worker has noted may be what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_END, Consumer

from worker.adapters.kafka.start_offsets import offsets_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from worker.adapters.kafka.membership import Membership
    from worker.core.records import Partition

LOOK_SECONDS = 5.0
"""How often the client's positions are compared."""

STALL_SECONDS = 30.0
"""How long a partition with records to read may stand still."""

BUSY_FACTOR = 10
"""So many times longer while the client always has other records ready: this partition's may be queued behind them."""

LONGEST_SECONDS = 600.0
"""Starting a partition again throws away what was fetched, so each time in vain doubles the wait, up to this."""


class StallDetector:
    """Watches positions.

    Attributes:
        stalled: the partitions that were started again and have not moved since.
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
        """The client told that there is nothing below this offset, and the end is here."""
        self._ends_seen[partition] = offset

    def no_room(self) -> None:
        """Nothing may be fetched: standing still is right."""
        self._since.clear()

    def look(self, now: float, positions: Mapping[Partition, int], *, busy: bool) -> list[Partition]:
        """Compare positions with the last ones.

        Args:
            now: monotonic seconds.
            positions: of all partitions that may be read, as the client has them.
            busy: whether each poll since the last look brought records.

        Returns:
            The partitions that have stood still for too long, if their end is beyond what `reached` says.
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
        """Which of the quiet partitions must be started again: there are records below their ends."""
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


def start_stalled_again(
    detector: StallDetector, consumer: Consumer, membership: Membership, now: float, *, busy: bool
) -> list[Partition]:
    """Look once, and have the client fetch what stands still anew.

    Returns:
        The partitions that were started again.

    Raises:
        KafkaException: a broker did not tell its ends.
    """
    quiet = detector.look(now, membership.positions(), busy=busy)
    stalled = detector.judge(now, quiet, offsets_at(consumer, quiet, OFFSET_END))
    if stalled:
        membership.start_again(stalled)
    return stalled
