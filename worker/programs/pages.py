"""What the worker's pages show, asked for by the thread that serves them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from worker.programs.run import Worker

T = TypeVar("T")

ANSWER_SECONDS = 1.0
"""How long a page waits for the event loop, before it shows what it knows."""

BEAT_SECONDS = 0.5
"""How often the event loop shows that it turns."""

NOT_RESPONDING = {"reason": "NOT_RESPONDING", "detail": "the event loop is busy and does not answer"}


class Pages:
    """Asks a worker in its event loop, which may be blocked; made in that loop.

    Args:
        worker: the worker.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._reasons: list[dict[str, Any]] = []
        self._status: dict[str, Any] = worker.telemetry.status()
        self._turned_at = 0.0
        self._beating: asyncio.TimerHandle
        self._beat()

    def close(self) -> None:
        """Stop looking whether the loop turns."""
        self._beating.cancel()

    # Called in other threads.

    def alive(self) -> bool:
        """Whether the loop turned within `max.poll.interval.ms`."""
        return time.monotonic() - self._turned_at < self._worker.source.max_poll_interval

    def ready(self) -> list[dict[str, Any]]:
        """Why the worker is not ready; while the loop is blocked that comes on top of what was the case before."""
        if blocked := self._blocked():
            return [blocked, *self._reasons]
        try:
            self._reasons = self._ask(self._worker.problems)
        except TimeoutError:
            return [self._blocked() or NOT_RESPONDING, *self._reasons]
        return self._reasons

    def status(self) -> dict[str, Any]:
        """What the status page shows; while the loop is blocked, what it showed last."""
        with suppress(TimeoutError):
            self._status = self._ask(self._worker.telemetry.status)
        return self._status

    def _blocked(self) -> dict[str, Any] | None:
        blocked = self._worker.pipeline.blocked
        if blocked is None:
            return None
        record = blocked.record
        what = f"mapper {blocked.mapper}" if blocked.mapper else "the mapping"
        place = f"{record.topic()}:{record.partition()}:{record.offset()}"
        return {"reason": "MAPPER_BLOCKED", "detail": f"{what} does not return for {place}"}

    def _ask(self, question: Callable[[], T]) -> T:
        """Have the loop answer. Raises TimeoutError where it does not within `ANSWER_SECONDS`, or is closed."""
        answer: concurrent.futures.Future[T] = concurrent.futures.Future()

        def ask() -> None:
            if answer.set_running_or_notify_cancel():
                try:
                    answer.set_result(question())
                except Exception as error:  # noqa: BLE001 - it is raised where it was asked
                    answer.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(ask)
        except RuntimeError as closed:
            raise TimeoutError from closed
        try:
            return answer.result(ANSWER_SECONDS)
        except TimeoutError:
            answer.cancel()
            raise

    def _beat(self) -> None:
        self._turned_at = time.monotonic()
        self._beating = self._loop.call_later(BEAT_SECONDS, self._beat)
