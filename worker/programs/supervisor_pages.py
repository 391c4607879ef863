"""The pages of several worker processes as those of one `run`. Their callbacks are called in other threads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from worker.core.rule_use import RuleUse
from worker.programs.child import Child
from worker.telemetry.combined import combined_metrics, combined_status
from worker.telemetry.history import combined_history
from worker.telemetry.metrics import Observation
from worker.telemetry.status import status_of
from worker.telemetry.totals import Totals
from worker.version import __version__

T = TypeVar("T")

TIMEOUT_SECONDS = 5.0
"""How long a page waits for all processes; each answers within two seconds, or is left out."""


class Children:
    """The worker processes of a run.

    Args:
        processes: how many there are to be.

    Attributes:
        running: by number.
        missing: why each does not run that is to be started, for `/readyz`.
    """

    def __init__(self, processes: int) -> None:
        self.running: dict[int, Child] = {}
        self.missing = {
            number: _missing("JOINING", number, "is being started") for number in range(processes)
        }

    def started(self, child: Child) -> None:
        """A process was started, perhaps again."""
        self.running[child.process.number] = child
        self.missing.pop(child.process.number, None)

    def ended(self, number: int) -> None:
        """A process has ended, or could not be started."""
        self.running.pop(number, None)
        self.missing.pop(number, None)

    def failed(self, number: int, how: str) -> None:
        """A process that has ended is started again after a delay."""
        self.missing[number] = _missing("PROCESS_ENDED", number, f"ended ({how}) and is started again")


def _missing(reason: str, number: int, why: str) -> dict[str, str]:
    return {"reason": reason, "detail": f"process {number} {why}"}


class SupervisorPages:
    """What the supervisor's pages show. Must be created on its event loop.

    Args:
        children: the processes.
        max_poll_interval: seconds after which Kafka revokes the partitions of a process that does not poll.
    """

    def __init__(self, children: Children, max_poll_interval: float) -> None:
        self._children = children
        self._max_poll_interval = max_poll_interval
        self._loop = asyncio.get_running_loop()
        nothing = Totals(), RuleUse(), Observation()
        self._status = status_of(__version__, time.time(), *nothing) | {"history": combined_history([])}

    def alive(self) -> bool:
        """Whether every running process's event loop has run within `max.poll.interval.ms`."""
        oldest = min((child.alive_at for child in self._running()), default=time.monotonic())
        return time.monotonic() - oldest < self._max_poll_interval

    def ready(self) -> list[dict[str, Any]]:
        """Why not all processes are ready."""
        running = [reason for child in self._running() for reason in child.reasons()]
        return running + [missing for _, missing in sorted(self._children.missing.items())]

    def status(self) -> dict[str, Any]:
        """Sums over all processes that respond; the last known ones if none does."""
        if found := self._ask_all(lambda child: child.status()):
            self._status = combined_status(list(found.values()))
        return self._status

    def metrics(self) -> bytes:
        """Prometheus text: each series of each process that responds."""
        return combined_metrics(self._ask_all(lambda child: child.metrics()))

    def _running(self) -> list[Child]:
        return list(self._children.running.values())

    def _ask_all(self, ask: Callable[[Child], Coroutine[Any, Any, T]]) -> dict[int, T]:
        """What each process answers, by number, without those that do not."""

        async def ask_all() -> dict[int, T]:
            children = self._running()
            found = await asyncio.gather(*map(ask, children), return_exceptions=True)
            return {
                child.process.number: each
                for child, each in zip(children, found, strict=True)
                if not isinstance(each, BaseException)
            }

        return asyncio.run_coroutine_threadsafe(ask_all(), self._loop).result(TIMEOUT_SECONDS)
