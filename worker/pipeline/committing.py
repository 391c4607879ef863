"""Commits what is finished: each second, and at once where fetching would stop for lack of a commit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from worker.pipeline.ports import CommitFailed

if TYPE_CHECKING:
    from worker.core.lanes import Lanes
    from worker.pipeline.ports import Source
    from worker.pipeline.send_permit import SendPermit

COMMIT_SECONDS = 1.0
"""How often a commit is attempted while there is progress (docs/guarantees.md, promise 6)."""

FAILING = "COMMIT_FAILING"
"""Why nothing is sent once commits have failed for too long."""


class Committer:
    """Commits what is finished.

    Args:
        source: where it commits to.
        lanes: know what is finished.
        permit: withheld when commits have failed for too long.

    Attributes:
        failing_since: when the first of the latest commits failed, all of which did; None while they pass.
    """

    def __init__(self, source: Source, lanes: Lanes, permit: SendPermit) -> None:
        self._source = source
        self._lanes = lanes
        self._permit = permit
        self._hurried = asyncio.Event()
        self.failing_since: float | None = None

    async def attempt(self) -> bool:
        """Commit what is finished, if that is more than Kafka knows; False if Kafka did not take it."""
        self._hurried.clear()
        finished = {state: state.offsets.committable() for state in self._lanes.partitions.values()}
        offsets = {
            state.partition: offset for state, offset in finished.items() if offset != state.offsets.committed
        }
        if not offsets:
            return True
        try:
            refused = await self._source.commit(offsets)
        except CommitFailed:
            self._failed()
            return False
        self.succeeded()
        for state, offset in finished.items():
            if state.partition in refused:
                state.release(offset)
            else:
                state.commit(offset)
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
        """Kafka took a commit, or assigned a partition: the group knows this member."""
        self.failing_since = None
        self._permit.restore(FAILING)

    def _failed(self) -> None:
        """After a session without a commit another member may own these partitions: stop sending."""
        now = asyncio.get_running_loop().time()
        if self.failing_since is None:
            self.failing_since = now
        if now - self.failing_since > self._source.session_timeout:
            self._permit.withhold(FAILING)
