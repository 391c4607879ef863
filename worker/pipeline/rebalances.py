"""What happens when this member gets partitions, gives them up, or has lost them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.core.lanes import Lanes, PartitionState
    from worker.core.records import Partition
    from worker.pipeline.caught_up import CaughtUp
    from worker.pipeline.committing import Committer
    from worker.pipeline.dead_lettering import DeadLetterWriter
    from worker.pipeline.delivery import Delivery
    from worker.pipeline.group_limit import Limit
    from worker.pipeline.ports import Start
    from worker.pipeline.wakeup import Wakeup


class Rebalances:
    """Implements `ports.Assignments` for the source.

    Args:
        lanes: the assigned partitions, and their unfinished calls.
        ends: notified of assignments, for `--until-caught-up`.
        committer: notified that this worker is a member of the group.
        delivery: whose requests in flight a revoke waits for.
        dead_lettering: whose writes a revoke waits for.
        limit: notified of assignments, which it may depend on.
        progress: notified when a request or a write ends.
        request_timeout: seconds within which a request ends.

    Attributes:
        joined: whether this member has ever got an assignment, perhaps of no partitions.
        lost_any: whether partitions were lost since this was last set to False.
    """

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        lanes: Lanes,
        ends: CaughtUp,
        committer: Committer,
        delivery: Delivery,
        dead_lettering: DeadLetterWriter,
        *,
        limit: Limit,
        progress: Wakeup,
        request_timeout: float,
    ) -> None:
        self._lanes = lanes
        self._ends = ends
        self._committer = committer
        self._delivery = delivery
        self._dead_lettering = dead_lettering
        self._limit = limit
        self._progress = progress
        self._request_timeout = request_timeout
        self.joined = False
        self.lost_any = False

    def assigned(self, starts: Mapping[Partition, Start]) -> None:
        """See `ports.Assignments`."""
        self.joined = True
        self._committer.succeeded()
        self._limit.assigned(starts, asyncio.get_running_loop().time())
        for partition, start in starts.items():
            self._lanes.assign(partition, start.offset, start.committed)
            self._ends.assigned(partition, start)

    async def revoked(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """See `ports.Assignments`.

        Waits only for requests in flight, also for those that a smaller share of the rate limit does not cover, and for
        dead letters that are being written. The next owner sends the calls that would have been retried.
        """
        states = self._states(partitions)
        self._limit.revoked(partitions)
        for state in states:
            self._lanes.revoke(state)
        self._delivery.awaits_responses = True
        try:
            await self._wait_for_requests(states)
        finally:
            self._delivery.awaits_responses = False
        # Only what is new: where the next owner is faster, a commit would set its own back.
        finished = {
            state.partition: offset
            for state in states
            if (offset := state.offsets.committable()) != state.offsets.committed
        }
        self._forget(states)
        return finished

    def lost(self, partitions: Sequence[Partition]) -> None:
        """See `ports.Assignments`."""
        self.lost_any = True
        self._limit.revoked(partitions)
        self._delivery.limit_changed()
        self._forget(self._states(partitions))

    def _states(self, partitions: Sequence[Partition]) -> list[PartitionState]:
        return [self._lanes.partitions[each] for each in partitions if each in self._lanes.partitions]

    async def _wait_for_requests(self, states: list[PartitionState]) -> None:
        # The rebalance must not wait longer than a request takes, say for a dead-letter write.
        now = asyncio.get_running_loop().time
        deadline = now() + self._request_timeout + self._limit.late_seconds + 1
        while self._delivery.in_excess or not self._sending().isdisjoint(states):
            if (left := deadline - now()) <= 0:
                return
            await self._progress.wait(left)

    def _sending(self) -> set[PartitionState]:
        return self._delivery.partitions_on_wire() | self._dead_lettering.writing

    def _forget(self, states: list[PartitionState]) -> None:
        for state in states:
            self._lanes.forget(state)
            self._ends.forget(state.partition)
        self._dead_lettering.drop_revoked()
        self._progress.notify()
