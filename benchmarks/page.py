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
from importlib.metadata import version
from pathlib import Path

from benchmarks.rows import Bench, Row
from benchmarks.stage import ROOT, create_topics
from tests.support.kafka_cluster import KafkaCluster, jars

Scenario = Callable[[Bench], Iterator[Row]]

VERDICTS = {True: "met", False: "MISSED", None: ""}


def print_page(scenarios: Mapping[str, Scenario], *, quick: bool, events: int = 0, rounds: int = 0) -> None:
    """Start a Kafka, run the scenarios by their commands, print their rows, and stop what was started.

    Args:
        scenarios: by the command that runs each.
        quick: a rehearsal: less load, the same rows.
        events: of a usual run; 0 for the default.
        rounds: of a comparison; 0 for the default.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and so stop what was started
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, KafkaCluster(Path(folder)) as cluster:
        create_topics(cluster.bootstrap_servers, "dead", partitions=1)
        bench = Bench(cluster.bootstrap_servers, quick, events, rounds)
        print(machine())
        print(
            f"{'Quick, a rehearsal' if quick else 'Full'}: {bench.events:,} events a run. A ratio: median (least-most) "
            f"of {bench.rounds} rounds; in each, all that are compared run in turn."
        )
        for command, scenario in scenarios.items():
            _show(command, scenario, bench)
    print(f"\n({(time.monotonic() - began) / 60:.1f} minutes)")


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
            line = f"  {row.what:49} {row.figure:58} {row.target:16} {VERDICTS[row.met]}"
            print(line.rstrip(), flush=True)
    except Exception as failure:  # noqa: BLE001 - the page says what failed, and goes on
        print(f"  failed: {type(failure).__name__}: {failure}")
    print(f"  (`{command}`: {time.monotonic() - began:.0f} s)", flush=True)
