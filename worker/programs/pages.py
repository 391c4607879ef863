"""The state shown by the worker's HTTP endpoints, read from the event loop by the thread that serves them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from worker.programs.worker import Worker

T = TypeVar("T")

LOOP_TIMEOUT_SECONDS = 1.0
"""How long an endpoint waits for the event loop before it returns the last known state. Probes of Kubernetes
time out after a second by default: a longer wait would look like no response."""

HEARTBEAT_SECONDS = 0.5
"""How often the event loop records that it is running and takes a sample for the status page's history. Fine enough for
limits of seconds, cheap for an idle loop."""

NOT_RESPONDING = {"reason": "NOT_RESPONDING", "detail": "the event loop is busy and does not respond"}


class Pages:
    """Reads a worker's state on its event loop, which may be blocked. Must be created on that loop.

    Args:
        worker: the worker.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._reasons: list[dict[str, Any]] = []
        self._status: dict[str, Any] = worker.telemetry.status()
        self._heartbeat_at = 0.0
        self._heartbeat: asyncio.TimerHandle
        self._beat()

    def close(self) -> None:
        """Stop the heartbeat."""
        self._heartbeat.cancel()

    # Called in other threads.

    def alive(self) -> bool:
        """Whether the event loop has run within `max.poll.interval.ms`, after which Kafka revokes the partitions."""
        return time.monotonic() - self._heartbeat_at < self._worker.source.max_poll_interval

    def ready(self) -> list[dict[str, Any]]:
        """Why the worker is not ready. While the loop is blocked, that is added to the last known reasons."""
        if blocked := self._blocked():
            return [blocked, *self._reasons]
        try:
            self._reasons = self._on_loop(self._worker.problems)
        except TimeoutError:
            return [self._blocked() or NOT_RESPONDING, *self._reasons]
        return self._reasons

    def status(self) -> dict[str, Any]:
        """The data of the status page; while the loop is blocked, the last known data."""
        with suppress(TimeoutError):
            self._status = self._on_loop(self._worker.telemetry.status)
        return self._status

    def _blocked(self) -> dict[str, Any] | None:
        blocked = self._worker.pipeline.blocked
        if blocked is None:
            return None
        record = blocked.record
        what = f"mapper {blocked.mapper}" if blocked.mapper else "the mapping"
        place = f"{record.topic()}:{record.partition()}:{record.offset()}"
        return {"reason": "MAPPER_BLOCKED", "detail": f"{what} does not return for {place}"}

    def _on_loop(self, call: Callable[[], T]) -> T:
        """Call a function on the event loop. Raises `TimeoutError` after `LOOP_TIMEOUT_SECONDS`, or if it is closed."""
        result: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            if result.set_running_or_notify_cancel():
                try:
                    result.set_result(call())
                except Exception as error:  # noqa: BLE001 - raised in the calling thread
                    result.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(run)
        except RuntimeError as closed:
            raise TimeoutError from closed
        try:
            return result.result(LOOP_TIMEOUT_SECONDS)
        except TimeoutError:
            result.cancel()  # or a blocked loop would later run one call for each request of this time
            raise

    def _beat(self) -> None:
        self._heartbeat_at = time.monotonic()
        self._worker.telemetry.sample()
        self._heartbeat = self._loop.call_later(HEARTBEAT_SECONDS, self._beat)
