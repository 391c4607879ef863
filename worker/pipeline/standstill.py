"""After the process was suspended, nothing is sent until Kafka has confirmed that it still owns its partitions.

A process that was stopped (SIGSTOP, a suspended or paused machine) for longer than its session has lost its partitions,
but does not know it when it continues. Requests that were waiting for their turn would go out after what the new owner
has already sent. So the clocks are compared before each request, and a gap requires a confirmation. Two clocks are used
because the monotonic clock of a suspended machine stops with it.
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
"""The reason why nothing is sent after a standstill, in `/readyz` too."""

SHARE = 3
"""A third of the session may pass without a turn of the event loop. The last heartbeat was up to one interval before
that, and Kafka recommends an interval of at most a third of the session: that leaves one third to spare."""

RETRY_SECONDS = 0.5
"""The delay between two attempts to have ownership confirmed."""


class StandstillGuard:
    """Withholds the permit after a standstill until Kafka confirms the partitions.

    Args:
        source: confirms ownership; its session timeout says how long a standstill may last.
        permit: withheld until then.
        clock: epoch seconds.

    Attributes:
        unconfirmed: whether there was a standstill that Kafka has not confirmed yet.
    """

    def __init__(self, source: Source, permit: SendPermit, clock: Callable[[], float]) -> None:
        self._source = source
        self._permit = permit
        self._clock = clock
        self._standstills = 0
        self._seen = self._clocks()
        self.unconfirmed = False

    def notice(self) -> None:
        """Compare the clocks with the last time; called before each request."""
        seen, self._seen = self._seen, self._clocks()
        limit = self._limit
        if any(now - before > limit for before, now in zip(seen, self._seen, strict=True)):
            self._standstills += 1
            self.unconfirmed = True
            self._permit.withhold(UNCONFIRMED)

    def problem(self) -> str | None:
        """Why nothing is sent, for `/readyz`."""
        detail = "the process was suspended, and Kafka has not confirmed its partitions since"
        return detail if self.unconfirmed else None

    async def run(self) -> None:
        """Compare the clocks while nothing is sent, and have ownership confirmed after a standstill."""
        while True:
            await asyncio.sleep(self._limit / 4)  # an idle worker's checks must be closer together than a gap
            self.notice()
            while self.unconfirmed:
                await self._confirm()

    async def _confirm(self) -> None:
        standstills = self._standstills
        try:
            await self._source.confirm()
        except CommitFailed:  # the partitions are lost, or Kafka is unreachable: the next poll finds out
            await asyncio.sleep(RETRY_SECONDS)
            return
        # Another standstill during the confirmation makes it worthless.
        self.notice()
        if standstills == self._standstills:
            self.unconfirmed = False
            self._permit.restore(UNCONFIRMED)

    @property
    def _limit(self) -> float:
        return self._source.session_timeout / SHARE

    def _clocks(self) -> tuple[float, float]:
        return asyncio.get_running_loop().time(), self._clock()
