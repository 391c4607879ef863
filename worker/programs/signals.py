"""The first SIGTERM or SIGINT drains, the second stops at once."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from worker.pipeline.pipeline import Pipeline
from worker.telemetry.logs import log

if TYPE_CHECKING:
    from types import FrameType


from worker.programs.worker import HALTED

LEAVING_SECONDS = 5.0
"""How long the process may take to close its connections after draining; brokers that do not respond could block it.
Orchestrators kill after a grace period, so `delivery.shutdown_timeout` plus this has to fit into it."""

AT_ONCE_SECONDS = 1.0
"""The same after a second signal, when a user is waiting."""


@contextmanager
def drain_on_signals(
    pipeline: Pipeline, working: asyncio.Task[int], exit_after: float | None = None
) -> Iterator[None]:
    """Drain on the first SIGTERM or SIGINT, and stop immediately on the second.

    A commit without a response from the brokers cannot be cancelled. If `exit_after` is given, the process ends that
    many seconds after the first signal in any case, or `AT_ONCE_SECONDS` after the second. It then also keeps these
    handlers until it ends: the default ones would change its exit code while it closes its connections.
    """
    loop = asyncio.get_running_loop()
    alone = exit_after is not None
    asked = False

    def on_signal(number: int, _: FrameType | None) -> None:
        nonlocal asked
        again, asked = asked, True
        if exit_after is not None:
            if again and working.done():
                os._exit(HALTED)
            end_process_in(AT_ONCE_SECONDS if again else exit_after)
        if not loop.is_closed():
            loop.call_soon_threadsafe(react, signal.Signals(number).name, again)

    def react(name: str, again: bool) -> None:  # noqa: FBT001 - called by the loop
        if again:
            working.cancel()
        else:
            pipeline.stop(name)

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        if not alone:
            for number, handler in before.items():
                signal.signal(number, handler)


def end_process_in(seconds: float) -> None:
    """End the process after this time unless it has ended by then. Like a crash, this loses no records."""

    def end() -> None:
        log(
            logging.WARNING,
            "left_anyway",
            "closing connections took too long: exited without closing all of them",
        )
        os._exit(HALTED)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
