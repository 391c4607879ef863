"""When Kafka is told what is finished: each second, and at once where fetching would stop for lack of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from worker.pipeline.ports import CommitFailed

if TYPE_CHECKING:
    from worker.core.lanes import Lanes
    from worker.pipeline.delivery import Delivery
    from worker.pipeline.ports import Source

COMMIT_SECONDS = 1.0
"""How often a commit is attempted while there is progress (docs/guarantees.md, promise 6)."""

FAILING = "COMMIT_FAILING"
"""Why nothing is sent once commits have failed for too long."""


class Commits:
    """Commits what is finished.

    Args:
        source: where it commits to.
        lanes: know what is finished.
        delivery: stopped when commits have failed for too long.
        may_fail: seconds after which another member may own what is ours here.

    Attributes:
        failing_since: when the first of the latest commits failed, all of which did; None while they pass.
    """

    def __init__(self, source: Source, lanes: Lanes, delivery: Delivery, *, may_fail: float) -> None:
        self._source = source
        self._lanes = lanes
        self._delivery = delivery
        self._may_fail = may_fail
        self._hurried = asyncio.Event()
        self.failing_since: float | None = None

    async def attempt(self) -> bool:
        """Commit what is finished, if that is more than Kafka knows; False if Kafka did not take it."""
        self._hurried.clear()
        finished = {track: track.committable() for track in self._lanes.tracks.values()}
        offsets = {track.partition: at for track, at in finished.items() if at != track.committed}
        if not offsets:
            return True
        try:
            await self._source.commit(offsets)
        except CommitFailed:
            self._was_refused()
            return False
        self.succeeded()
        for track, at in finished.items():
            track.commit(at)
        return True

    async def wait(self) -> None:
        """Until the next attempt is due."""
        if self.failing_since is not None:
            await asyncio.sleep(COMMIT_SECONDS)
            return
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await self._hurried.wait()
        except TimeoutError:
            pass

    def hurry(self) -> None:
        """Do not wait for the second to end."""
        self._hurried.set()

    def succeeded(self) -> None:
        """Kafka took a commit, or gave us a partition: the group knows us."""
        self.failing_since = None
        self._delivery.go_on(FAILING)

    def _was_refused(self) -> None:
        """After a session without a commit, these partitions may be another member's: stop sending."""
        now = asyncio.get_running_loop().time()
        if self.failing_since is None:
            self.failing_since = now
        if now - self.failing_since > self._may_fail:
            self._delivery.stop_sending(FAILING)
