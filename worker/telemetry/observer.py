"""The worker's current state, for gauges and pages that other threads ask for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from worker.telemetry.metrics import Observation

RESPONSE_SECONDS = 1.0
"""How long an exporter's thread waits for the event loop; then it exports the last known state."""


class Observer:
    """Reads the current state in the thread that owns it."""

    def __init__(self) -> None:
        self._observe: Callable[[], Observation] = Observation
        self._last = Observation()
        self._thread: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def observe(self, callback: Callable[[], Observation]) -> None:
        """Take the current state from `callback`, which is called in this thread only."""
        self._observe = callback
        self._thread = threading.get_ident()
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def current(self) -> Observation:
        """The current state; called in another thread, the last known one if the event loop is busy."""
        if self._thread in {None, threading.get_ident()}:
            self._last = self._observe()
        elif self._loop and not self._loop.is_closed():
            self._ask(self._loop)
        return self._last

    def stop(self) -> None:
        """Read the state once more; `current` returns that from now on."""
        self.current()
        self._loop, self._thread = None, -1

    def _ask(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call the callback on the event loop: it reads state that only that thread may touch."""
        done = threading.Event()

        def observe() -> None:
            self._last = self._observe()
            done.set()

        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(observe)
            done.wait(RESPONSE_SECONDS)
