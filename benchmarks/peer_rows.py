"""Rows that compare the worker with the loop that a Java team writes by hand (`java_loop/`)."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.events import PEER, peer_orders
from benchmarks.group_rows import wait_for_balance
from benchmarks.processes import listening_on
from benchmarks.rows import Bench, Row, Runs, ratio, spread
from benchmarks.stage import ROOT, Measured, Sink, measure, sink, worker
from benchmarks.topics import PARTITIONS, fill_topic

TOPIC = "orders"
"""The same for both: it is a part of the Java loop's message ids."""

TIMES = 5
"""Times the usual events: enough for what comes before the measurement."""

WARM, SECONDS = 1.0, 4.0
"""How long both work in a group at rest before they are measured, and how long they are."""

PROCESSES = 2

JVM = ("-Xms256m", "-Xmx256m", "-XX:+UseParallelGC", "-XX:ParallelGCThreads=1")


def java(bench: Bench) -> Iterator[Row]:
    """Two worker processes on two cores, against the Java loop with two threads; each group at rest."""
    classes, events = _build(), bench.events * TIMES
    fill_topic(bench.servers, TOPIC, events, peer_orders, PARTITIONS)
    ours, theirs = bench.in_turn(partial(_worker, bench, events), partial(_java_loop, bench, classes, events))
    for what, runs in ((f"run --processes {PROCESSES}", ours), ("the Java loop, 2 threads", theirs)):
        yield _absolute(what, runs)
    yield ratio("events a second: two processes / Java", ours, theirs, "rate", target=1.0)
    yield ratio("CPU an event: two processes / Java", ours, theirs)


def _absolute(what: str, runs: Runs) -> Row:
    """What a program, the broker and the sink used."""
    cpu = (spread(values) for values in zip(*((run.cpu, *run.beside) for run in runs), strict=True))
    own, broker, its_sink = cpu
    return Row(
        what,
        f"{median(run.rate for run in runs):,.0f} a second; µs an event: {own}, broker {broker}, sink {its_sink}",
    )


def _worker(bench: Bench, events: int) -> Measured:
    group = uuid.uuid4().hex
    with (
        sink() as into,
        worker(bench.servers, TOPIC, into.url, PEER, group=group, processes=PROCESSES) as running,
    ):
        return _measure(bench, group, running.process, into, events)


def _java_loop(bench: Bench, classes: str, events: int) -> Measured:
    group = uuid.uuid4().hex
    with sink() as into, _running(bench, classes, into.url, group) as process:
        return _measure(bench, group, process, into, events)


def _measure(bench: Bench, group: str, program: subprocess.Popen[bytes], into: Sink, events: int) -> Measured:
    """Measure once the two members have shared the partitions, and the virtual machine has compiled its code."""
    into.wait_for(1, [program])
    wait_for_balance(bench.servers, group, [PARTITIONS // PROCESSES] * PROCESSES)
    time.sleep(WARM)
    broker = listening_on(int(bench.servers.rpartition(":")[2]))
    return measure([program], into, events, SECONDS, beside=[broker, into.pid])


@contextmanager
def _running(bench: Bench, classes: str, url: str, group: str) -> Iterator[subprocess.Popen[bytes]]:
    environ = {**os.environ, "KAFKA": bench.servers, "GROUP": group, "SINK": url, "THREADS": "2"}
    with subprocess.Popen(["java", *JVM, "-cp", classes, "peers.JavaLoop"], env=environ) as process:
        try:
            yield process
        finally:
            process.kill()


def _build() -> str:
    """The class path of the Java loop, built by Maven outside this tree when its sources change."""
    sources = ROOT / "benchmarks" / "java_loop"
    content = hashlib.sha256()
    for path in sorted(each for each in sources.rglob("*") if each.is_file()):
        content.update(path.read_bytes())
    built = Path(tempfile.gettempdir()) / f"java_loop-{content.hexdigest()[:12]}"
    if not built.exists():
        partial_build = Path(tempfile.mkdtemp(prefix="java_loop"))
        shutil.copytree(sources, partial_build, dirs_exist_ok=True)
        subprocess.run(["mvn", "-B", "-q", "package"], cwd=partial_build, check=True)
        partial_build.rename(built)
    return f"{built}/target/classes:{built}/target/lib/*"
