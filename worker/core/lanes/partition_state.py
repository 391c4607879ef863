"""One assignment of one partition."""

from __future__ import annotations

from collections.abc import Iterable

from worker.core.lanes.in_progress import InProgress, Load
from worker.core.lanes.key_queues import KeyQueues
from worker.core.lanes.offset_tracker import OffsetTracker
from worker.core.records import RECORD, Partition


class PartitionState:
    """One assignment of one partition.

    Each assignment has a new object, so a response that arrives after a revoke changes only the old one and never a
    later assignment of the same partition.

    Attributes:
        partition: the topic's name and the partition's number.
        offsets: what may be committed.
        keys: where the unfinished calls of each key are.
        in_progress: how much is accepted and not committed.
        revoked: nothing more is sent of it; its unfinished records still hold the commit back.
    """

    __slots__ = ("in_progress", "keys", "offsets", "partition", "revoked")

    def __init__(
        self,
        partition: Partition,
        next_offset: int,
        committed: int | None = None,
        whole: Load | None = None,
    ) -> None:
        self.partition = partition
        self.offsets = OffsetTracker(next_offset, committed)
        self.keys = KeyQueues()
        self.in_progress = InProgress(whole)
        self.revoked = False

    def accept(self, next_offset: int, records: int, size: int) -> None:
        """Account for a slice of records below `next_offset`, of `size` bytes with its calls."""
        self.offsets.advance(next_offset)
        self.in_progress.accept(next_offset, records, size)

    def accept_late(self, offsets: Iterable[int], size: int) -> None:
        """Account for records that were set aside and are mapped now.

        Args:
            offsets: of the records, whose number and bytes count as in progress already.
            size: bytes of their calls.
        """
        for offset in offsets:
            self.offsets.resume(offset)
        self.in_progress.accept(self.offsets.next_offset, 0, size)

    def commit(self, offset: int) -> None:
        """`offset` was committed: records below it are no longer in progress."""
        self.offsets.commit(offset)
        self.in_progress.commit(offset)

    def release(self, offset: int) -> None:
        """Kafka refuses this partition's commits: records below `offset` no longer count as in progress anyway.

        Otherwise one deleted topic would fill the memory limit and stop all others.
        """
        self.in_progress.commit(offset)

    def revoke(self) -> None:
        """Send nothing more of it: records that are unfinished now will never be committed by this assignment."""
        self.revoked = True
        for call in self.keys.drop_blocked():
            self.offsets.start(call[RECORD])
