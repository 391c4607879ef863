"""A condition variable without a lock, for coroutines of one event loop."""

from __future__ import annotations

import asyncio


class Wakeup:
    """Wakes all coroutines that are waiting.

    Use it in a loop: `while not ready(): await wakeup.wait()`. No notification is missed between the check and the
    wait, because no other coroutine runs in between.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Wake all waiting coroutines: the state that they check may have changed."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float | None = None) -> None:
        """Wait for `notify`, at most this many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass
