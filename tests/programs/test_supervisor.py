"""A supervisor and processes that are no workers but end, or do not, as a test needs it.

The rest is in tests/kafka/test_processes.py.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

from worker.programs import supervisor as supervising
from worker.programs.child import Child
from worker.programs.supervisor import SIGNALS, Supervisor, supervise
from worker.programs.supervisor_pages import Children, SupervisorPages
from worker.settings import Settings
from worker.settings.shares import Process

UNPREPARED = "import time; time.sleep(60)"
"""A process that does not handle signals yet."""

PREPARED = """
import os, signal, sys, time
from worker.programs.child_link import ALIVE, READY, Answering, Supervised

me, terms, asked = Supervised.of(os.environ), [], []
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1) if me.process.number == 0 else terms.append(1))
signal.signal(signal.SIGUSR1, lambda *_: asked.append(1))
Answering(me.link, {ALIVE: lambda: b"true", READY: lambda: b"[]"}, lambda: None)
while not (asked and terms):
    time.sleep(0.01)
sys.exit(10 * len(terms))
"""
"""Process 0 exits with 1 after SIGTERM; the other one counts them, and exits with ten times their number when it has
got SIGUSR1, too."""


def supervisor_of(monkeypatch: pytest.MonkeyPatch, script: str, **sections: Any) -> Supervisor:
    """A supervisor of two processes that run this."""
    monkeypatch.setattr(sys, "orig_argv", ["python", "-c", script])
    settings = Settings.model_validate({"delivery": {"shutdown_timeout": "1s"}, **sections})
    return Supervisor(settings, 2, Children(2), until_caught_up=False)


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    return supervisor_of(monkeypatch, UNPREPARED)


async def happens(condition: Callable[[], object]) -> None:
    """Wait for something that the supervisor has no event for."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


def told(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """The fields of the log lines of one kind."""
    return [each.fields for each in caplog.records if getattr(each, "event", "") == event]  # type: ignore[attr-defined]


def ended_by(caplog: pytest.LogCaptureFixture, number: int) -> list[dict[str, Any]]:
    """The unexpected ends of one process."""
    return [each for each in told(caplog, "process_ended") if each["number"] == number]


async def both_ready(supervisor: Supervisor) -> dict[int, Child]:
    """Wait for it; returns the processes."""
    running = supervisor._children.running
    await happens(lambda: len(running) == 2 and not any(each.reasons() for each in running.values()))
    return dict(running)


async def test_processes_that_do_not_handle_signals_yet_have_drained(supervisor: Supervisor) -> None:
    running = asyncio.create_task(supervisor.run())
    await happens(lambda: len(supervisor._children.running) == 2)
    supervisor._drain("SIGTERM")
    assert await running == 0


async def test_a_process_that_is_being_started_is_stopped_too(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Child.start

    async def stopped_meanwhile(process: Process, *, restarted: bool) -> Child:
        child = await start(process, restarted=restarted)
        supervisor._drain("SIGTERM")
        return child

    monkeypatch.setattr(Child, "start", stopped_meanwhile)
    assert await supervisor.run() == 0


async def test_a_process_that_fails_while_all_drain_does_not_end_the_draining_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    supervisor = supervisor_of(monkeypatch, PREPARED)
    running = asyncio.create_task(supervisor.run())
    _, other = (await both_ready(supervisor)).values()
    supervisor._signal_received("SIGTERM")
    await happens(lambda: len(supervisor._children.running) == 1)
    other.signal(signal.SIGUSR1)
    assert await running == 10, "it got one SIGTERM"


async def test_a_second_signal_kills_a_process_that_does_not_react(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "KILL_AT_ONCE_SECONDS", 0.1)
    supervisor = supervisor_of(monkeypatch, PREPARED, delivery={"shutdown_timeout": "1h"})
    running = asyncio.create_task(supervisor.run())
    await both_ready(supervisor)
    supervisor._signal_received("SIGINT")
    supervisor._signal_received("SIGINT")
    assert await running == 1


async def test_the_delay_before_a_process_is_started_again_grows(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervising, "FIRST_DELAY_SECONDS", 0.01)
    supervisor = supervisor_of(monkeypatch, "raise SystemExit(3)", rate_limit={"per": "1ms"})
    running = asyncio.create_task(supervisor.run())
    await happens(lambda: len(ended_by(caplog, 0)) >= 3)
    supervisor._drain("SIGTERM")
    await running
    assert [each["seconds"] for each in ended_by(caplog, 0)][:3] == [0.01, 0.02, 0.04]
    assert {each["how"] for each in ended_by(caplog, 0)} == {"exit code 3"}


@pytest.mark.parametrize(("scope", "seconds"), [("process", 3600), ("group", 1)])
async def test_what_a_process_has_sent_counts_for_the_next_one_of_its_number(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, scope: str, seconds: float
) -> None:
    limit = {"per": "1h", "scope": scope}
    supervisor = supervisor_of(monkeypatch, "raise SystemExit(3)", rate_limit=limit)
    running = asyncio.create_task(supervisor.run())
    await happens(lambda: len(told(caplog, "process_ended")) >= 2)
    supervisor._drain("SIGTERM")
    assert await running == 0, "it did not wait for the delay"
    assert {each["seconds"] for each in told(caplog, "process_ended")} == {seconds}


async def test_without_files_to_start_from_the_run_ends_or_tries_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervising, "FIRST_DELAY_SECONDS", 0.01)
    program = sys.executable
    monkeypatch.setattr(sys, "executable", "/no/python")
    assert await supervisor_of(monkeypatch, PREPARED).run() == 1

    monkeypatch.setattr(sys, "executable", program)
    supervisor = supervisor_of(monkeypatch, PREPARED, rate_limit={"per": "1ms"})
    running = asyncio.create_task(supervisor.run())
    first, _ = (await both_ready(supervisor)).values()
    monkeypatch.setattr(sys, "executable", "/no/python")
    caplog.clear()
    first.signal(signal.SIGKILL)
    await happens(lambda: len(told(caplog, "process_not_started")) >= 2)
    monkeypatch.setattr(sys, "executable", program)
    processes = await both_ready(supervisor)
    assert processes[0] is not first
    supervisor._signal_received("SIGTERM")
    processes[1].signal(signal.SIGUSR1)
    assert await running == 10


async def test_a_run_is_ready_once_each_of_its_processes_is(monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = supervisor_of(monkeypatch, PREPARED)
    pages = SupervisorPages(supervisor._children, max_poll_interval=300)
    assert pages.ready() == [
        {"reason": "JOINING", "detail": "process 0 is being started"},
        {"reason": "JOINING", "detail": "process 1 is being started"},
    ]
    running = asyncio.create_task(supervisor.run())
    first, second = (await both_ready(supervisor)).values()
    assert pages.ready() == []
    first.signal(signal.SIGKILL)
    ended = [{"reason": "PROCESS_ENDED", "detail": "process 0 ended (signal 9) and is started again"}]
    await happens(lambda: pages.ready() == ended)
    supervisor._drain("SIGTERM")
    second.signal(signal.SIGUSR1)
    assert await running == 10


async def test_a_run_is_alive_while_each_of_its_processes_responds(monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = supervisor_of(monkeypatch, PREPARED)
    pages = SupervisorPages(supervisor._children, max_poll_interval=0.5)
    running = asyncio.create_task(supervisor.run())
    _, second = (await both_ready(supervisor)).values()
    second.signal(signal.SIGSTOP)
    await happens(lambda: not pages.alive())
    second.signal(signal.SIGCONT)
    await happens(pages.alive)
    supervisor._drain("SIGTERM")
    second.signal(signal.SIGUSR1)
    assert await running == 10


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
