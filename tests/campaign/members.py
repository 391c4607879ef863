"""The members of a world's group: real processes, each started, killed, stopped and asked to leave."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.campaign.events import MAPPER
from tests.campaign.history import CONTINUE_SECONDS, SECRET, Disruption, Exit
from tests.campaign.logs import lines
from tests.campaign.world import DRAIN_SECONDS
from tests.support.worker_process import LOOK_SECONDS, PATIENCE_SECONDS, WorkerProcess, until

LEAVING_SECONDS = DRAIN_SECONDS + 20
"""A member that was asked to leave has ended by then, or is killed."""


class Member:
    """One member, or with a supervisor several, from its first start to its last end.

    Args:
        folder: where it runs; it has a configuration of its own, so that its static id can differ.
        number: of the member.
        processes: of each start.
        settings: worker.yaml, as JSON.
        mappings: the mapping files.

    Attributes:
        disruptions, exits: what the judge must know of its life.
    """

    def __init__(self, folder: Path, number: int, processes: int, settings: str, mappings: list[str]) -> None:
        self.number = number
        self.disruptions: list[Disruption] = []
        self.exits: list[Exit] = []
        self._folder = folder / f"member-{number}"
        self._processes = processes
        self._running: WorkerProcess | None = None
        self._started: list[WorkerProcess] = []
        self._configure(settings, mappings)

    def _configure(self, settings: str, mappings: list[str]) -> None:
        config = self._folder / "config"
        (config / "mappings").mkdir(parents=True)
        (config / "mappers").mkdir()
        (config / "worker.yaml").write_text(settings)
        (config / "mappers" / "events.py").write_text(MAPPER)
        for number, mapping in enumerate(mappings):
            (config / "mappings" / f"topic-{number}.yaml").write_text(mapping)

    @property
    def run(self) -> str:
        """The name of its latest start."""
        return f"{self.number}.{len(self._started) - 1}"

    @property
    def process(self) -> WorkerProcess | None:
        """The process that runs; None if it does not."""
        return self._running if self._running and self._running.is_running else None

    @property
    def logs(self) -> dict[str, str]:
        """What each start has printed."""
        return {f"{self.number}.{number}": process.output for number, process in enumerate(self._started)}

    def start(self) -> None:
        """Start it, with its pages on a port of its own."""
        arguments = ("--processes", str(self._processes)) if self._processes > 1 else ()
        key = f"{SECRET}-{self.number}.{len(self._started)}"
        self._running = WorkerProcess(self._folder, len(self._started), arguments, {"PIPELINES_API_KEY": key})
        self._started.append(self._running)

    async def kill(self) -> None:
        """End it without a word. Processes of a supervisor that is killed drain and end by themselves."""
        if (process := self.process) is None:
            return
        left = self.children()
        self._disrupted("kill")
        process.kill()
        await self._gone(left)

    def kill_child(self, child: int) -> None:
        """End one of its processes, if it runs."""
        if (pid := dict(self._children()).get(child)) is not None:
            self._disrupted(f"kill of process {child}")
            _signal(pid, signal.SIGKILL)

    async def stop(self, seconds: float, child: int | None) -> None:
        """Stop its process, or one of them, and let it continue."""
        pid = dict(self._children()).get(child) if child is not None else self._pid
        if self.process is None or pid is None:
            return
        begun = time.time()
        _signal(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.disruptions.append(Disruption(begun, time.time() + CONTINUE_SECONDS, "stop", self.run))
            _signal(pid, signal.SIGCONT)

    async def leave(self, *, at_once: bool = False) -> None:
        """Ask it to leave, once or twice, and wait until it has ended."""
        if (process := self.process) is None or not await self._can_be_asked(process):
            return
        run, asked = self.run, time.time()
        left = self.children()
        process.signal()
        if at_once:
            self._disrupted("a second signal")
            await asyncio.sleep(0.2)
            process.signal()
        await self._ended(process)
        code = process._process.returncode
        self.exits.append(Exit(run, code, time.time() - asked, at_once))
        await self._gone(left)

    async def not_ready(self) -> list[str] | None:
        """Why it is not ready; None: it does not run."""
        if self.process is None:
            return None
        reasons = await self.process.reasons()
        return ["it does not listen yet"] if reasons is None else reasons

    def end(self) -> None:
        """Kill what is left of it, also if it is stopped."""
        left = self.children()
        for process in self._started:
            if process.is_running:
                process.kill()
        for pid in left:
            _signal(pid, signal.SIGKILL)

    # Its processes

    @property
    def _pid(self) -> int | None:
        return self._running._process.pid if self._running else None

    def children(self) -> list[int]:
        """The process ids of all worker processes under a supervisor that run."""
        return [pid for _, pid in self._children()]

    def _children(self) -> Iterator[tuple[int, int]]:
        """Number and process id of each process under the supervisor that runs."""
        if self._running and self._processes > 1:
            started = {each["number"]: each["pid"] for each in lines(self._running.output, "process_started")}
            yield from ((number, pid) for number, pid in started.items() if self._is_ours(pid))

    def _is_ours(self, pid: int) -> bool:
        """Whether a process runs and is of this member: another may have got its number since."""
        try:
            return is_running(pid) and Path(f"/proc/{pid}/cwd").readlink() == self._folder.resolve()
        except OSError:
            return False

    async def _can_be_asked(self, process: WorkerProcess) -> bool:
        """Wait until it handles signals: before that Python's own handling ends it."""
        wanted = "worker_started" if self._processes == 1 else "process_started"
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while process.is_running and not any(lines(process.output, wanted)):  # noqa: ASYNC110 - in another process
                    await asyncio.sleep(LOOK_SECONDS)
        return process.is_running

    async def _ended(self, process: WorkerProcess) -> None:
        try:
            async with asyncio.timeout(LEAVING_SECONDS):
                await process.ended()
        except TimeoutError:
            process.kill()

    async def _gone(self, pids: list[int]) -> None:
        """Wait until these processes have ended: a member with the same static id must not run twice."""
        async with asyncio.timeout(LEAVING_SECONDS):
            await until(lambda: not any(map(is_running, pids)))

    def _disrupted(self, what: str) -> None:
        self.disruptions.append(Disruption(time.time(), time.time(), what, self.run))


def _signal(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    if is_running(pid):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def is_running(pid: int) -> bool:
    """Whether a process is neither gone nor a zombie."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
