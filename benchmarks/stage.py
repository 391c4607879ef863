"""What benchmarks share: a sink, programs, and what they cost while they run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.events import MAPPING

ROOT = Path(__file__).parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_SECONDS = 300
"""No run takes longer; one that does has failed."""

Settings = Mapping[str, object]
"""Settings of a worker as its environment has them, without the prefix: `MEMORY__MAX_BYTES`."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run, of one program or of several together."""

    cpu: float
    """Microseconds a call."""
    rate: float
    """Calls a second."""
    rss: float
    """MiB, the most."""
    fill: float
    """Mean share of 475,000 bytes or 2,000 calls in a request, whichever is larger."""
    calls_in_request: float
    bytes_of_call: float


class Sink:
    """A sink that runs, by its URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str = "/") -> dict[str, Any]:
        """Ask it; `/` answers `requests`, `calls` and `bytes`."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def wait_for(
        self, calls: int, programs: Sequence[subprocess.Popen[bytes]], seconds: float | None = None
    ) -> int:
        """Wait until so many calls have arrived, or for some seconds, and answer how many have.

        Raises:
            RuntimeError: a program has ended, or far too much time has passed.
        """
        began = time.monotonic()
        while (arrived := int(self.get()["calls"])) < calls:
            passed = time.monotonic() - began
            if seconds is not None and passed > seconds:
                break
            ended = [program.returncode for program in programs if program.poll() is not None]
            if ended or passed > PATIENCE_SECONDS:
                raise RuntimeError(f"{arrived:,} of {calls:,} calls arrived; ended with {ended}")
            time.sleep(0.01)
        return arrived


@contextmanager
def sink(latency: float = 0.0, status: int = 200, *, examine: bool = False) -> Iterator[Sink]:
    """A sink of its own for each run."""
    command = [sys.executable, str(ROOT / "benchmarks" / "sink.py")]
    command += ["--latency", str(latency), "--status", str(status), *(["--examine"] if examine else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield Sink(f"http://127.0.0.1:{process.stdout.readline().strip()}")
        finally:
            process.kill()


class Worker:
    """A worker that runs, as a user runs it."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.began = time.time()
        self._log = log

    def when(self, event: str) -> float | None:
        """Epoch seconds at which the log first told an event."""
        for line in self._log.read_text().splitlines():
            if line.startswith("{") and (told := json.loads(line))["event"] == event:
                return datetime.fromisoformat(told["time"]).timestamp()
        return None


@contextmanager
def worker(
    servers: str,
    topic: str,
    url: str,
    *mappings: str,
    group: str | None = None,
    settings: Settings | None = None,
) -> Iterator[Worker]:
    """Run a worker on a topic; without a mapping, with the usual one."""
    folder = Path(tempfile.mkdtemp(prefix="benchmark"))
    for number, mapping in enumerate(mappings or [MAPPING]):
        (folder / f"mapping{number}.yaml").write_text(mapping.replace("[orders]", f"[{topic}]"))
    (folder / "worker.yaml").write_text(
        f"kafka: {{bootstrap_servers: '{servers}', group_id: {group or uuid.uuid4().hex}, dead_letter_topic: dead}}\n"
        f"pipelines: {{url: '{url}', api_key: benchmark}}\n"
        f"http: {{listen: null}}\n"
        f"mapper_path: ['{ROOT / 'benchmarks'}']\n"
        f"mappings: ['{folder}/mapping*.yaml']\n"
    )
    command = [sys.executable, "-m", "worker", "run", "--config", str(folder / "worker.yaml")]
    environ = {**os.environ, **{f"WORKER__{name}": str(value) for name, value in (settings or {}).items()}}
    log = folder / "log"
    with log.open("wb") as told, subprocess.Popen(command, cwd=ROOT, stderr=told, env=environ) as process:
        try:
            yield Worker(process, log)
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(folder)


@contextmanager
def floor(servers: str, topic: str, url: str, events: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the floor on a topic."""
    command = [sys.executable, str(ROOT / "benchmarks" / "floor.py"), servers, topic, url, str(events)]
    with subprocess.Popen(command) as process:
        try:
            yield process
        finally:
            process.kill()


def measure(
    programs: Sequence[subprocess.Popen[bytes]], into: Sink, calls: int, seconds: float | None = None
) -> Measured:
    """Follow a run by what arrives at the sink: from a fifth of the calls until all have.

    Where `seconds` are given: from the first on, for so long at the most.
    """

    def cpu() -> float:
        return sum(cpu_seconds(program.pid) for program in programs)

    into.wait_for(calls // 5 if seconds is None else 1, programs)
    began, cpu_before, before = time.perf_counter(), cpu(), into.get()
    assert before["calls"] < calls, "everything arrived at once: use more events"
    into.wait_for(calls, programs, seconds)
    took, spent, after = time.perf_counter() - began, cpu() - cpu_before, into.get()
    arrived, requests, size = (after[name] - before[name] for name in ("calls", "requests", "bytes"))
    return Measured(
        cpu=spent / arrived * 1e6,
        rate=arrived / took,
        rss=max(status_mib(program.pid, "VmHWM") for program in programs),
        fill=max(size / requests / 475_000, arrived / requests / 2_000),
        calls_in_request=arrived / requests,
        bytes_of_call=size / arrived,
    )


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def status_mib(pid: int, name: str) -> float:
    """A line of a process's status in MiB: `VmRSS` is what is resident, `VmHWM` the most that ever was."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0
