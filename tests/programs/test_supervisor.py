"""A supervisor that is asked to stop while its processes start. The rest is in tests/kafka/test_processes.py."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from worker.programs.child import Child
from worker.programs.supervisor import SIGNALS, Supervisor, supervise
from worker.programs.supervisor_pages import Children
from worker.settings import Settings
from worker.settings.shares import Process

UNPREPARED = ["python", "-c", "import time; time.sleep(60)"]
"""A process that does not handle signals yet."""


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    monkeypatch.setattr(sys, "orig_argv", UNPREPARED)
    settings = Settings.model_validate({"delivery": {"shutdown_timeout": "1s"}})
    return Supervisor(settings, 2, Children(), until_caught_up=False)


async def test_processes_that_do_not_handle_signals_yet_have_drained(supervisor: Supervisor) -> None:
    running = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(60):
        while len(supervisor._children.running) < 2:  # noqa: ASYNC110 - the supervisor has no event for it
            await asyncio.sleep(0)
    supervisor._stop("SIGTERM")
    assert await running == 0


async def test_a_process_that_is_being_started_is_stopped_too(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Child.start

    async def stopped_meanwhile(process: Process) -> Child:
        child = await start(process)
        supervisor._stop("SIGTERM")
        return child

    monkeypatch.setattr(Child, "start", stopped_meanwhile)
    assert await supervisor.run() == 0


async def test_a_signal_after_the_last_process_has_ended_does_not_change_the_exit_code(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    monkeypatch.setattr(sys, "orig_argv", ["python", "-c", "pass"])
    settings = Settings.model_validate({"http": {"listen": None}})
    try:
        assert await supervise(settings, 2, until_caught_up=True) == 0
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
