"""Notifies the event loop of rebalances and failures from the polling thread, and waits for its response."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from worker.adapters.kafka.start_offsets import StartOffsets
    from worker.core.records import Partition
    from worker.pipeline.ports import Assignments
    from worker.telemetry.telemetry import Telemetry

T = TypeVar("T")

REVOKE_SHARE = 0.9
"""The share of `max.poll.interval.ms` within which the event loop must respond: the commit at a revoke, and the answer
to the group, take some of the rest."""


class RebalanceListener:
    """Carries notifications from the polling thread to the event loop.

    Args:
        loop: where `assignments` runs.
        assignments: notified of rebalances.
        telemetry: notified too.
        max_poll_interval: seconds within which the group needs this member to poll again.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        assignments: Assignments,
        telemetry: Telemetry,
        max_poll_interval: float,
    ) -> None:
        self._loop = loop
        self._assignments = assignments
        self._telemetry = telemetry
        self._patience = max_poll_interval * REVOKE_SHARE

    def assigned(self, starts: StartOffsets) -> None:
        """This member owns these partitions now."""
        self._call(self._assigned(starts))

    def revoked(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """These move to another member. Returns the offsets to commit; none if the loop does not respond in time."""
        try:
            return self._call(self._revoked(partitions))
        except TimeoutError:
            self.lost(partitions)
            return {}

    def lost(self, partitions: Sequence[Partition]) -> None:
        """Another member may own these already."""
        self._call(self._lost(partitions))

    def source_failed(self, why: str) -> None:
        """The client reported an error."""
        self._loop.call_soon_threadsafe(self._telemetry.source_failed, why)

    def client_failed(self, why: str) -> None:
        """The client is in a terminal state and will be replaced."""
        self._loop.call_soon_threadsafe(self._telemetry.kafka_client_failed, "consumer", why)

    def fetch_stalled(self, partition: Partition) -> None:
        """A partition with records to read did not advance; its fetching was restarted."""
        self._loop.call_soon_threadsafe(self._telemetry.fetch_stalled, *partition)

    def commit_failed(self, why: str) -> None:
        """A commit at a revoke failed: the next owner delivers again what it covered."""
        self._loop.call_soon_threadsafe(self._telemetry.commit_failed, why)

    def records_lost(self, partition: Partition, n: int) -> None:
        """Retention deleted records that had not been read."""
        self._loop.call_soon_threadsafe(self._telemetry.records_lost, *partition, n)

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(self._patience)
        finally:
            future.cancel()

    async def _assigned(self, starts: StartOffsets) -> None:
        for (topic, number), n in starts.lost.items():
            self._telemetry.records_lost(topic, number, n)
        for topic, number in starts.restarted:
            self._telemetry.partition_restarted(topic, number)
        self._telemetry.partitions_assigned(list(starts.found))
        self._assignments.assigned(starts.found)

    async def _revoked(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        self._telemetry.partitions_revoked(partitions)
        return await self._assignments.revoked(partitions)

    async def _lost(self, partitions: Sequence[Partition]) -> None:
        self._telemetry.partitions_lost(partitions)
        self._assignments.lost(partitions)
