"""A dead-letter topic in memory that can fail on request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from worker.dead_letters.failed_record import FailedRecord


class MemoryDeadLetters:
    """Implements `ports.DeadLetters`.

    Attributes:
        letters: the acknowledged dead letters, in order.
        failures: how many of the next dead letters fail; -1 means all of them.
        refuse: returns why a dead letter is refused, or None.
        seconds: how long a write takes.
    """

    def __init__(self) -> None:
        self.letters: list[FailedRecord] = []
        self.failures = 0
        self.refuse: Callable[[FailedRecord], str | None] = lambda _: None
        self.seconds = 0.0
        self.closed = False

    async def write(self, letters: Sequence[FailedRecord]) -> list[str | None]:
        await asyncio.sleep(self.seconds)
        return [self._write_one(letter) for letter in letters]

    def _write_one(self, letter: FailedRecord) -> str | None:
        if self.failures:
            self.failures -= 1
            return "the broker is not available"
        refused = self.refuse(letter)
        if refused is None:
            self.letters.append(letter)
        return refused

    async def close(self) -> None:
        self.closed = True
