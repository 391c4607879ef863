"""The page: the machine and the versions, and each scenario's rows with the command that gives them."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from benchmarks.rows import Bench, Row
from benchmarks.stage import ROOT
from benchmarks.topics import ensure_topics
from tests.support.kafka_cluster import KafkaCluster, jars

Scenario = Callable[[Bench], Iterator[Row]]

VERDICTS = {True: "met", False: "MISSED", None: ""}


def print_page(scenarios: Mapping[str, Scenario], bench: Bench) -> None:
    """Run the scenarios by their commands, and print their rows."""
    began = time.monotonic()
    ensure_topics(bench.servers, "dead", partitions=1)
    print(machine())
    print(
        f"{'Quick' if bench.quick else 'Full'}: {bench.events:,} events a run. A ratio: median (least-most) of "
        f"{bench.rounds} rounds; in each, all that are compared run in turn."
    )
    for command, scenario in scenarios.items():
        _show(command, scenario, bench)
    print(f"\n({(time.monotonic() - began) / 60:.1f} minutes)")


@contextmanager
def kafka(servers: str | None) -> Iterator[str]:
    """The addresses of a Kafka that runs, or of one that is started, and stopped at the end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    if servers:
        yield servers
        return
    with tempfile.TemporaryDirectory() as folder, KafkaCluster(Path(folder)) as cluster:
        yield cluster.bootstrap_servers


def machine() -> str:
    """What the figures were measured on."""
    packages = ("confluent-kafka", "orjson", "msgspec", "aiohttp", "uvloop")
    versions = ", ".join(f"{each} {version(each)}" for each in packages)
    kafka = next(jars().glob("kafka-clients-*.jar")).stem.removeprefix("kafka-clients-")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], check=False, cwd=ROOT, capture_output=True, text=True
    )
    return (
        f"Commit {commit.stdout.strip() or 'unknown'}; {os.cpu_count()} cores, {_processor()}, "
        f"{platform.platform()}\nPython {platform.python_version()}, {versions}; Kafka {kafka}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _show(command: str, scenario: Scenario, bench: Bench) -> None:
    """Run a scenario and print its rows; one that fails does not stop the others."""
    began = time.monotonic()
    print(f"\n{(scenario.__doc__ or '').splitlines()[0]}")
    try:
        for row in scenario(bench):
            line = f"  {row.what:49} {row.figure:58} {row.target:20} {VERDICTS[row.met]}"
            print(line.rstrip(), flush=True)
    except Exception as failure:  # noqa: BLE001 - the page says what failed, and goes on
        print(f"  failed: {type(failure).__name__}: {failure}")
    print(f"  (`{command}`: {time.monotonic() - began:.0f} s)", flush=True)
