"""After the process stood still, nothing is sent until Kafka has said that the partitions are still its own.

A process that was stopped (SIGSTOP, a suspended or paused machine) for longer than its session has lost its partitions.
It does not know that when it goes on: requests that waited for their turn would go out behind what the new owner has
sent. So each request is preceded by a look at the clock, and a gap asks for a confirmation. Two clocks are compared,
because a suspended machine's monotonic clock stands still with it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from worker.pipeline.ports import CommitFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.pipeline.ports import Source
    from worker.pipeline.send_permit import SendPermit

UNCONFIRMED = "MEMBERSHIP_UNCONFIRMED"
"""Why nothing is sent after a standstill."""

SHARE = 3
"""One part in so many of the session may pass without a turn of the loop: the last heartbeat was that much earlier."""

RETRY_SECONDS = 0.5


class StandstillGuard:
    """Withholds the permit after a standstill.

    Args:
        source: confirms.
        permit: withheld.
        session_timeout: seconds after which another member may own the partitions.
        clock: epoch seconds.

    Attributes:
        unconfirmed: whether the process stood still and Kafka has not confirmed since.
    """

    def __init__(
        self, source: Source, permit: SendPermit, session_timeout: float, clock: Callable[[], float]
    ) -> None:
        self._source = source
        self._permit = permit
        self._limit = session_timeout / SHARE
        self._clock = clock
        self._standstills = 0
        self._seen = self._clocks()
        self.unconfirmed = False

    def notice(self) -> None:
        """Look at the clocks: called each time before something is sent."""
        seen, self._seen = self._seen, self._clocks()
        if any(now - before > self._limit for before, now in zip(seen, self._seen, strict=True)):
            self._standstills += 1
            self.unconfirmed = True
            self._permit.withhold(UNCONFIRMED)

    async def run(self) -> None:
        """Look at the clocks while nothing is sent, and have standstills confirmed."""
        while True:
            await asyncio.sleep(self._limit / 4)
            self.notice()
            while self.unconfirmed:
                await self._confirm()

    async def _confirm(self) -> None:
        standstills = self._standstills
        try:
            await self._source.confirm()
        except CommitFailed:  # the partitions are lost, or Kafka is away: the next poll tells
            await asyncio.sleep(RETRY_SECONDS)
            return
        self.notice()
        if standstills == self._standstills:
            self.unconfirmed = False
            self._permit.restore(UNCONFIRMED)

    def _clocks(self) -> tuple[float, float]:
        return asyncio.get_running_loop().time(), self._clock()
