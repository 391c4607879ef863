"""Commits finished offsets: once a second, and immediately if fetching would otherwise stop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from worker.pipeline.ports import CommitFailed

if TYPE_CHECKING:
    from worker.core.lanes import Lanes
    from worker.pipeline.ports import Source
    from worker.pipeline.send_permit import SendPermit

COMMIT_SECONDS = 1.0
"""How often a commit is attempted while there is progress (docs/guarantees.md, promise 6)."""

FAILING = "COMMIT_FAILING"
"""The reason for withholding the permit when commits have failed for too long; also a reason of `/readyz`."""


class Committer:
    """Commits finished offsets.

    Args:
        source: commits to Kafka.
        lanes: the partitions and their finished offsets.
        permit: withheld when commits have failed for too long.

    Attributes:
        failing_since: when commits began to fail; None if the last one succeeded.
    """

    def __init__(self, source: Source, lanes: Lanes, permit: SendPermit) -> None:
        self._source = source
        self._lanes = lanes
        self._permit = permit
        self._hurried = asyncio.Event()
        self.failing_since: float | None = None

    async def attempt(self) -> bool:
        """Commit finished offsets, if there are new ones; False if the commit failed."""
        self._hurried.clear()
        finished = {
            state: state.offsets.committable()
            for state in self._lanes.partitions.values()
            if not state.offsets.all_committed  # most, where there are thousands
        }
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
        # The offsets that were sent, not those of this moment: more may have finished during the commit.
        for state, offset in finished.items():
            if state.partition in refused:
                state.release(offset)
            else:
                state.commit(offset)
        return True

    async def wait(self) -> None:
        """Wait until the next attempt is due."""
        with suppress(TimeoutError):
            async with asyncio.timeout(COMMIT_SECONDS):
                await self._hurried.wait()

    def hurry(self) -> None:
        """Make the next attempt due now, unless commits are failing."""
        if self.failing_since is None:
            self._hurried.set()

    def succeeded(self) -> None:
        """Kafka accepted a commit or assigned partitions, so this worker is a member of the group.

        If commits were failing, the next attempt is due now: fetching may be waiting for it.
        """
        if self.failing_since is None:
            return
        self.failing_since = None
        self._hurried.set()
        self._permit.restore(FAILING)

    def _failed(self) -> None:
        """Stop sending after a session timeout without a commit: another member may own these partitions."""
        self._hurried.clear()
        now = asyncio.get_running_loop().time()
        if self.failing_since is None:
            self.failing_since = now
        if now - self.failing_since > self._source.session_timeout:
            self._permit.withhold(FAILING)
