"""What benchmarks share: a sink, programs, and what they cost while they run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.events import MAPPING
from benchmarks.processes import cpu_seconds, status_mib, tree

ROOT = Path(__file__).parent.parent
BEGIN, END = 0.2, 0.7
"""The part of a run that is measured. A client fetches 100,000 records ahead: at both ends it has done so, and then the
CPU of fetching is that of as many records as are delivered."""

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
    beside: tuple[float, ...] = ()
    """Microseconds a call of other processes, in the order in which they were given."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A server's key and certificate, and the certificate of the authority that issued it: PEM files."""

    key: Path
    certificate: Path
    authority: Path


class Sink:
    """A sink that runs.

    Attributes:
        url: its base URL.
        pid: of its process.
    """

    def __init__(self, url: str, pid: int, trust: ssl.SSLContext | None = None) -> None:
        self.url = url
        self.pid = pid
        self._trust = trust

    def get(self, path: str = "/") -> dict[str, Any]:
        """Ask it; `/` answers `requests`, `calls` and `bytes`."""
        with urllib.request.urlopen(self.url + path, timeout=30, context=self._trust) as answer:
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
def sink(
    latency: float = 0.0, status: int = 200, *, examine: bool = False, tls: Tls | None = None
) -> Iterator[Sink]:
    """A sink of its own for each run."""
    command = [sys.executable, str(ROOT / "benchmarks" / "sink.py")]
    command += ["--latency", str(latency), "--status", str(status), *(["--examine"] if examine else [])]
    trust = None
    if tls:
        command += ["--certificate", str(tls.certificate), "--key", str(tls.key)]
        trust = ssl.create_default_context(cafile=str(tls.authority))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            port = process.stdout.readline().strip()
            yield Sink(f"http{'s' * bool(tls)}://127.0.0.1:{port}", process.pid, trust)
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
def worker(  # noqa: PLR0913 - what tells one run from another
    servers: str,
    topic: str,
    url: str,
    *mappings: str,
    group: str | None = None,
    settings: Settings | None = None,
    properties: Mapping[str, str] | None = None,
    processes: int = 1,
    lag: Path | None = None,
    trust: Path | None = None,
) -> Iterator[Worker]:
    """Run a worker.

    Args:
        servers: of its Kafka.
        topic: which it reads, or several, separated by commas.
        url: of its sink.
        mappings: the usual one by default.
        group: a new one by default.
        settings: in its environment.
        properties: of the Kafka client.
        processes: how many processes it is.
        lag: a file for the delays of its event loop, see `lag.py`.
        trust: the certificate of the authority that issued the sink's.
    """
    folder = Path(tempfile.mkdtemp(prefix="benchmark"))
    for number, mapping in enumerate(mappings or [MAPPING]):
        (folder / f"mapping{number}.yaml").write_text(mapping.replace("[orders]", f"[{topic}]"))
    (folder / "worker.yaml").write_text(
        f"kafka: {{bootstrap_servers: '{servers}', group_id: {group or uuid.uuid4().hex}, dead_letter_topic: dead,\n"
        f"  properties: {json.dumps(properties or {})}}}\n"
        f"pipelines: {{url: '{url}', api_key: benchmark}}\n"
        f"http: {{listen: null}}\n"
        f"mapper_path: ['{ROOT / 'benchmarks'}']\n"
        f"mappings: ['{folder}/mapping*.yaml']\n"
    )
    program = [str(ROOT / "benchmarks" / "lag.py"), str(lag)] if lag else ["-m", "worker"]
    command = [sys.executable, *program, "run", "--config", str(folder / "worker.yaml")]
    command += ["--processes", str(processes)] if processes > 1 else []
    environ = {**os.environ, **{f"WORKER__{name}": str(value) for name, value in (settings or {}).items()}}
    environ |= {"SSL_CERT_FILE": str(trust)} if trust else {}
    log = folder / "log"
    with log.open("wb") as told, subprocess.Popen(command, cwd=ROOT, stderr=told, env=environ) as process:
        try:
            yield Worker(process, log)
        finally:
            _kill(process)
            shutil.rmtree(folder)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a program, and then the processes that it started: it would start them again."""
    for pid in list(tree(process.pid)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


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
    programs: Sequence[subprocess.Popen[bytes]],
    into: Sink,
    calls: int,
    seconds: float | None = None,
    beside: Sequence[int] = (),
) -> Measured:
    """Follow a run by what arrives at the sink: from the moment when `BEGIN` of the calls have until `END` have.

    Where `seconds` are given: from the first on, for so long at the most. The CPU of processes `beside` the programs
    is measured too.
    """

    def cpu() -> list[float]:
        return [cpu_seconds(*(program.pid for program in programs)), *(cpu_seconds(pid) for pid in beside)]

    into.wait_for(int(calls * BEGIN) if seconds is None else 1, programs)
    began, cpu_before, before = time.perf_counter(), cpu(), into.get()
    assert before["calls"] < calls, "everything arrived at once: use more events"
    into.wait_for(int(calls * END) if seconds is None else calls, programs, seconds)
    took, cpu_after, after = time.perf_counter() - began, cpu(), into.get()
    arrived, requests, size = (after[name] - before[name] for name in ("calls", "requests", "bytes"))
    spent, *others = ((now - then) / arrived * 1e6 for now, then in zip(cpu_after, cpu_before, strict=True))
    return Measured(
        cpu=spent,
        rate=arrived / took,
        rss=sum(status_mib(pid, "VmHWM") for program in programs for pid in tree(program.pid))
        / len(programs),
        fill=max(size / requests / 475_000, arrived / requests / 2_000),
        calls_in_request=arrived / requests,
        bytes_of_call=size / arrived,
        beside=tuple(others),
    )
