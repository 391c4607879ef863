"""`run --processes N`: starts N workers, members of one group, and keeps them running.

The supervisor itself connects to nothing. It owns `http.listen`, passes signals on, and starts a process again that
ends unexpectedly. If the supervisor is killed, its processes notice, drain and end.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from worker.adapters.http.server import HttpServer, ListenFailed
from worker.adapters.kafka.properties import max_poll_interval
from worker.core.backoff import Backoff
from worker.programs.child import Child
from worker.programs.signals import AT_ONCE_SECONDS, LEAVING_SECONDS
from worker.programs.supervisor_pages import Children, SupervisorPages
from worker.programs.worker import DONE, HALTED
from worker.settings.shares import Process, share_of
from worker.telemetry.logs import configure_logging, log

if TYPE_CHECKING:
    from worker.settings import Settings

INVALID_CONFIGURATION = 2
"""The exit code for a configuration error, which ends all processes."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)

LOOK_SECONDS = 0.5
"""The pause before a process is asked again whether it is alive and ready."""

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, WELL_SECONDS = 1.0, 30.0, 60.0
"""How long to wait before a process is started again, doubling; from the beginning after a minute that went well."""

KILL_AFTER_SECONDS = 5.0
"""How much longer than a drain may take a process may take to end, before it is killed: it may be stopped or hang."""

KILL_AT_ONCE_SECONDS = AT_ONCE_SECONDS + 1.0
"""The same after a second signal, when a user is waiting."""


async def supervise(settings: Settings, processes: int, *, until_caught_up: bool) -> int:
    """Run worker processes until SIGTERM or SIGINT, or until all have caught up; returns the exit code.

    Raises:
        ConfigError: the rate limit cannot be divided.
    """
    for number in range(processes):
        share_of(settings, Process(number, processes))
    configure_logging(settings.telemetry, sys.stderr)
    children = Children(processes)
    supervisor = Supervisor(settings, processes, children, until_caught_up=until_caught_up)
    async with AsyncExitStack() as stack:
        try:
            await _serve_pages(children, settings, stack)
        except ListenFailed as failure:
            log(logging.ERROR, "listen_failed", str(failure))
            return HALTED
        try:
            return await supervisor.run()
        finally:
            _ignore_signals()


def _ignore_signals() -> None:
    """All processes have ended. Another signal must not change the exit code while this one ends, too."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)


async def _serve_pages(children: Children, settings: Settings, stack: AsyncExitStack) -> None:
    """Serve the pages of all processes as one while `stack` is open, unless they are turned off."""
    if settings.http.listen is None:
        return
    pages = SupervisorPages(children, max_poll_interval(settings.kafka))
    server = HttpServer(
        settings.http.listen, ready=pages.ready, status=pages.status, metrics=pages.metrics, alive=pages.alive
    )
    await server.start()
    stack.push_async_callback(server.close)


class Supervisor:
    """Keeps the worker processes of one `run`.

    Args:
        settings: of the whole run.
        processes: how many.
        children: kept up to date for the pages.
        until_caught_up: whether processes end by themselves once they have caught up.
    """

    def __init__(
        self, settings: Settings, processes: int, children: Children, *, until_caught_up: bool
    ) -> None:
        self._until_caught_up = until_caught_up
        self._processes = [Process(number, processes) for number in range(processes)]
        self._children = children
        self._stopping = asyncio.Event()
        self._stopping_at_once = asyncio.Event()
        self._signalled = False
        self._was_ready = False
        self._drain_seconds = settings.delivery.shutdown_timeout + LEAVING_SECONDS + KILL_AFTER_SECONDS
        # A process does not know what the one before it has sent. With `group` it waits by itself.
        rate_limit = settings.rate_limit
        self._least_delay = rate_limit.per if rate_limit.scope == "process" else 0.0

    async def run(self) -> int:
        """Run until all processes have ended for good; returns the largest of their exit codes."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._signal_received, number.name)
        log(logging.INFO, "supervisor_started", "starting worker processes", processes=len(self._processes))
        return max(await asyncio.gather(*map(self._keep, self._processes)))

    # The processes

    async def _keep(self, process: Process) -> int:
        """Run a process, and run it again if it ends unexpectedly; returns its last exit code."""
        backoff = Backoff(FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, WELL_SECONDS)
        restarted = False
        while not self._stopping.is_set():
            code = await self._run(process, restarted=restarted)
            self._children.ended(process.number)
            if self._is_final(code):
                if code == INVALID_CONFIGURATION or (code == HALTED and not self._until_caught_up):
                    self._drain("a process cannot run")
                return _exit_code(code)
            delay = max(backoff.failed(time.monotonic()), self._least_delay)
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            self._children.failed(process.number, how)
            message = "a worker process ended unexpectedly and is started again"
            log(logging.ERROR, "process_ended", message, number=process.number, how=how, seconds=delay)
            await _until_set(self._stopping, seconds=delay)
            restarted = True
        return DONE

    async def _run(self, process: Process, *, restarted: bool) -> int:
        """Run a process once; returns its exit code, or a signal's number below 0."""
        number = process.number
        try:
            child = await Child.start(process, restarted=restarted)
        except OSError as error:  # no memory, too many processes, or this installation is being replaced
            message = "the system did not start a worker process"
            log(logging.ERROR, "process_not_started", message, number=number, why=error.strerror)
            return HALTED
        self._children.started(child)
        # The processes may have been told to stop before this one was among them.
        if self._stopping.is_set():
            child.signal(signal.SIGTERM)
        log(logging.INFO, "process_started", "a worker process started", number=number, pid=child.pid)
        looking = asyncio.create_task(self._look_at(child))
        try:
            return await self._ended_or_killed(child)
        finally:
            looking.cancel()

    def _is_final(self, code: int) -> bool:
        """Whether a process is not started again.

        A process that exits with 1 before any was ready cannot start for a reason that a restart does not change, such
        as a missing topic: the whole run ends then, as it does with one process.
        """
        if self._stopping.is_set() or code == INVALID_CONFIGURATION:
            return True
        if self._until_caught_up:
            return code in {DONE, HALTED}
        return code == HALTED and not self._was_ready

    async def _ended_or_killed(self, child: Child) -> int:
        """Wait for the end of a process; kill it if it does not end after a signal in time."""
        ended = asyncio.create_task(child.ended())
        await _until_set(self._stopping, ended)
        await _until_set(self._stopping_at_once, ended, seconds=self._drain_seconds)
        if self._stopping_at_once.is_set():
            await asyncio.wait([ended], timeout=KILL_AT_ONCE_SECONDS)
        if not ended.done():
            number = child.process.number
            log(logging.ERROR, "process_killed", "a worker process did not end in time", number=number)
            child.signal(signal.SIGKILL)
        return await ended

    def _signal_received(self, name: str) -> None:
        """Have all processes drain; a second time, have them stop at once."""
        if self._signalled:
            self._stopping_at_once.set()
            self._signal_all()
        self._signalled = True
        self._drain(name)

    def _drain(self, reason: str) -> None:
        """Have all processes drain, unless they do so already: a second SIGTERM would stop them at once."""
        if not self._stopping.is_set():
            log(logging.INFO, "stopping", "stopping all worker processes", reason=reason)
            self._stopping.set()
            self._signal_all()

    def _signal_all(self) -> None:
        for child in self._children.running.values():
            child.signal(signal.SIGTERM)

    async def _look_at(self, child: Child) -> None:
        """Each by itself, so that one that does not respond keeps no other from being asked."""
        while True:
            if await child.look():
                self._was_ready = True
            await asyncio.sleep(LOOK_SECONDS)


async def _until_set(event: asyncio.Event, *tasks: asyncio.Task[int], seconds: float | None = None) -> None:
    """Wait until the event is set, a task has ended, or the time is over."""
    setting = asyncio.create_task(event.wait())
    await asyncio.wait([setting, *tasks], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    setting.cancel()


def _exit_code(code: int) -> int:
    """The exit code of a process that ended for good.

    SIGTERM ends a process only in its first milliseconds, before it handles signals: then it has nothing to drain.
    """
    if code == -signal.SIGTERM:
        return DONE
    return code if code >= 0 else HALTED
