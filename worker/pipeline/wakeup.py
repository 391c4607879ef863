"""How one coroutine tells others that something they wait for may have changed."""

from __future__ import annotations

import asyncio


class Wakeup:
    """Wakes everyone who waits at this moment.

    Whoever waits looks first and looks again: `while not ready(): await wakeup.wait()`. Nothing is missed between
    the look and the wait, because neither gives way to another coroutine.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Something may have changed."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float | None = None) -> None:
        """Wait for `notify`, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass
