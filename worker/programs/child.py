"""One worker process, as its supervisor sees it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any

from worker.programs.child_link import (
    ALIVE,
    LINK_VARIABLE,
    METRICS,
    PROCESS_VARIABLE,
    READY,
    RESTARTED_VARIABLE,
    STATUS,
    Asking,
)
from worker.settings.shares import Process

TIMEOUT_SECONDS = 2.0
"""How long to wait for an answer: the process reads its state within a second, see `pages.LOOP_TIMEOUT_SECONDS`."""

SILENT_SECONDS = 3.0
"""After this time without an answer a process is reported as not responding."""


class Child:
    """A running process; made by `start`.

    Attributes:
        process: which one it is.
        alive_at: when its event loop was last known to run, on the monotonic clock.
    """

    def __init__(self, process: Process, running: asyncio.subprocess.Process, link: Asking) -> None:
        self.process = process
        self.alive_at = time.monotonic()
        self._running = running
        self._link = link
        self._reasons: list[dict[str, Any]] = [{"reason": "JOINING", "detail": "not in its group yet"}]

    @classmethod
    async def start(cls, process: Process, *, restarted: bool = False) -> Child:
        """Run this program's own command line again, as a process before which one may have ended unexpectedly.

        It gets a session of its own, so that Ctrl-C in a terminal reaches the supervisor only, which passes it on once.

        Raises:
            OSError: the system starts no more processes, or does not find this one's files any more.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            environ = {PROCESS_VARIABLE: str(process), LINK_VARIABLE: str(theirs.fileno())}
            if restarted:
                environ[RESTARTED_VARIABLE] = "1"
            try:
                running = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *sys.orig_argv[1:],
                    env=os.environ | environ,
                    pass_fds=[theirs.fileno()],
                    stdin=asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                raise
        return cls(process, running, await Asking.over(ours))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running.pid

    async def ended(self) -> int:
        """Wait until it ends; returns its exit code, or a signal's number below 0."""
        code = await self._running.wait()
        await self._link.close()
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs.

        Not by `send_signal`, which first asks whether the process has ended: an exit code that it collects so is lost
        to asyncio, which reports 255 then (python/cpython#87744).
        """
        if self._running.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def look(self) -> bool:
        """Ask whether it is alive and ready; returns whether it is ready, as far as it answers."""
        with suppress(TimeoutError, ConnectionError):
            if json.loads(await self._ask(ALIVE)):
                self.alive_at = time.monotonic()
            self._reasons = json.loads(await self._ask(READY))
            return not self._reasons
        return False

    def reasons(self) -> list[dict[str, Any]]:
        """Why it was not ready when it was last asked, with its number."""
        silent = time.monotonic() - self.alive_at
        if silent > SILENT_SECONDS:
            return [self._reason("PROCESS_NOT_RESPONDING", f"has not responded for {silent:.0f} s")]
        return [
            {**each, "detail": f"process {self.process.number}: {each['detail']}"} for each in self._reasons
        ]

    async def status(self) -> dict[str, Any]:
        """The data of its status page. Raises `TimeoutError` or `ConnectionError`."""
        found: dict[str, Any] = json.loads(await self._ask(STATUS))
        return found

    async def metrics(self) -> bytes:
        """Its Prometheus text. Raises `TimeoutError` or `ConnectionError`."""
        return await self._ask(METRICS)

    async def _ask(self, question: bytes) -> bytes:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await self._link.ask(question)

    def _reason(self, reason: str, detail: str) -> dict[str, Any]:
        return {"reason": reason, "detail": f"process {self.process.number} {detail}"}
