"""How the polling thread notifies the event loop of rebalances and failures, and waits for its answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from worker.adapters.kafka.start_offsets import Starts
    from worker.core.records import Partition
    from worker.pipeline.ports import Assignments
    from worker.telemetry.telemetry import Telemetry

T = TypeVar("T")


class Teller:
    """Tells the event loop from the polling thread, and waits for its answer.

    Args:
        loop: where the assignments live.
        assignments: who is told.
        telemetry: told as well.
        patience: seconds that an answer may take.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        assignments: Assignments,
        telemetry: Telemetry,
        patience: float,
    ) -> None:
        self._loop = loop
        self._assignments = assignments
        self._telemetry = telemetry
        self._patience = patience

    def assigned(self, starts: Starts) -> None:
        """These are ours."""
        self._ask(self._assigned(starts))

    def revoked(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """These go to another member: what is to be committed? Nothing, if there is no answer in time."""
        try:
            return self._ask(self._revoked(partitions))
        except TimeoutError:
            self.lost(partitions)
            return {}

    def lost(self, partitions: Sequence[Partition]) -> None:
        """These are another's already."""
        self._ask(self._lost(partitions))

    def source_failed(self, why: str) -> None:
        """The client reported an error."""
        self._loop.call_soon_threadsafe(self._telemetry.source_failed, why)

    def client_failed(self, why: str) -> None:
        """The client is in a terminal state, and will be made anew."""
        self._loop.call_soon_threadsafe(self._telemetry.kafka_client_failed, "consumer", why)

    def fetch_stalled(self, partition: Partition) -> None:
        """A partition with records to read stood still, and was started again."""
        self._loop.call_soon_threadsafe(self._telemetry.fetch_stalled, *partition)

    def commit_failed(self, why: str) -> None:
        """A commit at a revoke was not taken: the next owner delivers again."""
        self._loop.call_soon_threadsafe(self._telemetry.commit_failed, why)

    def records_lost(self, partition: Partition, n: int) -> None:
        """Retention deleted what had not been read."""
        self._loop.call_soon_threadsafe(self._telemetry.records_lost, *partition, n)

    def _ask(self, question: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(question, self._loop)
        try:
            return future.result(self._patience)
        finally:
            future.cancel()

    async def _assigned(self, starts: Starts) -> None:
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
