"""After the process was suspended, sends nothing until Kafka has confirmed that it still owns its partitions.

A process that is suspended (SIGSTOP, a paused container or machine) for longer than its session loses its partitions,
but does not know it when it resumes: waiting requests would be sent after newer ones from the new owner. So the clock
is checked before each request, and after a gap the group membership is confirmed first. Two clocks are checked, because
the monotonic clock does not advance while a machine is suspended.
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
"""The reason for withholding the permit after a standstill; also a reason of `/readyz`."""

SHARE = 3
"""A gap of more than a third of the session timeout is a standstill. Kafka advises heartbeats at a third of the session
timeout, so the last heartbeat may be one third old when the gap begins: no session can expire in a shorter gap."""

RETRY_SECONDS = 0.5
"""How long to wait before asking again if Kafka does not confirm."""


class StandstillGuard:
    """Withholds the permit after a standstill until Kafka confirms the partitions.

    Args:
        source: asks Kafka for the confirmation.
        permit: withheld until then.
        session_timeout: seconds after which another member may own the partitions.
        clock: epoch seconds.

    Attributes:
        unconfirmed: whether there was a standstill that Kafka has not confirmed yet.
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
        """Check the clocks for a gap. Called before each request."""
        seen, self._seen = self._seen, self._clocks()
        if any(now - before > self._limit for before, now in zip(seen, self._seen, strict=True)):
            self._standstills += 1
            self.unconfirmed = True
            self._permit.withhold(UNCONFIRMED)

    async def run(self) -> None:
        """Check the clocks while nothing is sent, and get standstills confirmed."""
        while True:
            await asyncio.sleep(self._limit / 4)  # an idle worker's checks must be closer together than a gap
            self.notice()
            while self.unconfirmed:
                await self._confirm()

    async def _confirm(self) -> None:
        standstills = self._standstills
        try:
            await self._source.confirm()
        except CommitFailed:  # the partitions are lost, which the next poll reports, or Kafka is unavailable
            await asyncio.sleep(RETRY_SECONDS)
            return
        # Another standstill during the confirmation makes it worthless.
        self.notice()
        if standstills == self._standstills:
            self.unconfirmed = False
            self._permit.restore(UNCONFIRMED)

    def _clocks(self) -> tuple[float, float]:
        return asyncio.get_running_loop().time(), self._clock()
