"""A dead-letter topic in memory that can fail on request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from worker.dead_letters.failed_record import FailedRecord


class MemoryDeadLetters:
    """Implements `ports.DeadLetters`.

    Attributes:
        written: the acknowledged dead letters, in order.
        failures: how many of the next dead letters fail; -1 means all of them.
        refuse: returns why a dead letter is refused, or None.
        seconds: how long a write takes.
    """

    def __init__(self) -> None:
        self.written: list[FailedRecord] = []
        self.failures = 0
        self.refuse: Callable[[FailedRecord], str | None] = lambda _: None
        self.seconds = 0.0
        self.closed = False

    async def write(self, dead_letters: Sequence[FailedRecord]) -> list[str | None]:
        await asyncio.sleep(self.seconds)
        return [self._write_one(dead_letter) for dead_letter in dead_letters]

    def _write_one(self, dead_letter: FailedRecord) -> str | None:
        if self.failures:
            self.failures -= 1
            return "the broker is not available"
        refused = self.refuse(dead_letter)
        if refused is None:
            self.written.append(dead_letter)
        return refused

    async def close(self) -> None:
        self.closed = True
