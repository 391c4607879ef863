"""Rows that compare the worker with the loop that a Java team writes by hand (`java_loop/`)."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.events import PEER, peer_orders
from benchmarks.processes import listening_on
from benchmarks.rows import Bench, Row, Runs, ratio, spread
from benchmarks.stage import ROOT, Measured, measure, sink, worker
from benchmarks.topics import PARTITIONS, fill_topic

TOPIC = "orders"
"""The same for both: it is a part of the Java loop's message ids."""

TIMES = 2
"""Times the usual events: both take a second or two to share the partitions and, the one, to compile itself."""

PROCESSES = 2

JVM = ("-Xms256m", "-Xmx256m", "-XX:+UseParallelGC", "-XX:ParallelGCThreads=1")


def java(bench: Bench) -> Iterator[Row]:
    """Two worker processes on two cores, against the Java loop with two threads."""
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
    with sink() as into, worker(bench.servers, TOPIC, into.url, PEER, processes=PROCESSES) as running:
        return measure([running.process], into, events, beside=[_broker(bench), into.pid])


def _java_loop(bench: Bench, classes: str, events: int) -> Measured:
    with sink() as into, _running(bench, classes, into.url) as process:
        return measure([process], into, events, beside=[_broker(bench), into.pid])


@contextmanager
def _running(bench: Bench, classes: str, url: str) -> Iterator[subprocess.Popen[bytes]]:
    environ = {**os.environ, "KAFKA": bench.servers, "GROUP": uuid.uuid4().hex, "SINK": url, "THREADS": "2"}
    with subprocess.Popen(["java", *JVM, "-cp", classes, "peers.JavaLoop"], env=environ) as process:
        try:
            yield process
        finally:
            process.kill()


def _broker(bench: Bench) -> int:
    return listening_on(int(bench.servers.rpartition(":")[2]))


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
