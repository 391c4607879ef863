"""Whether requests may be sent at all, as far as Kafka and dead letters are concerned."""

from __future__ import annotations

import asyncio


class SendPermit:
    """Granted while there is no reason to stop sending. Requests in flight are not affected."""

    def __init__(self) -> None:
        self._reasons: set[str] = set()
        self._granted = asyncio.Event()
        self._granted.set()

    @property
    def granted(self) -> bool:
        """Whether requests may go out now."""
        return not self._reasons

    def withhold(self, reason: str) -> None:
        """Send nothing more until `restore` is called with the same reason."""
        self._reasons.add(reason)
        self._granted.clear()

    def restore(self, reason: str) -> None:
        """Remove this reason; requests may be sent again if it was the last one."""
        self._reasons.discard(reason)
        if not self._reasons:
            self._granted.set()

    async def wait(self) -> None:
        """Wait until it is granted."""
        await self._granted.wait()
