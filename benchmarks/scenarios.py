"""The worker in every situation that has a target: `python benchmarks/scenarios.py [NAME...] [--quick]`.

Starts a real Kafka, sinks and workers on loopback, generates bounded load, prints one page, and stops what it started.
A figure stands beside its target or its bound; what is a ratio is one within this run. Throughput and CPU are
measured from the moment when 20 % of the calls have arrived until all have.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import cost_rows, pace_rows, standing_rows
from benchmarks.rows import Bench, Row
from benchmarks.stage import create_topics
from tests.support.kafka_cluster import KafkaCluster

SCENARIOS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "telemetry": cost_rows.telemetry,
    "shapes": cost_rows.shapes,
    "latency": pace_rows.latency,
    "fill": pace_rows.fill,
    "memory": standing_rows.memory,
    "hang": pace_rows.hang,
    "freshness": pace_rows.freshness,
    "skew": pace_rows.skew,
    "start": standing_rows.start,
    "workers": cost_rows.workers,
}

VERDICTS = {True: "met", False: "MISSED", None: ""}


def machine(*, quick: bool) -> str:
    """What the figures were measured on."""
    packages = ("confluent-kafka", "orjson", "aiohttp", "uvloop")
    versions = ", ".join(f"{each} {version(each)}" for each in packages)
    mode = "quick: a rehearsal" if quick else "full"
    return f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}, {versions}; {mode}"


def show(name: str, bench: Bench) -> None:
    """Run a scenario and print its rows; one that fails does not stop the others."""
    began = time.monotonic()
    scenario = SCENARIOS[name]
    print(f"\n{name}: {scenario.__doc__}")
    try:
        for row in scenario(bench):
            print(f"  {row.what:42} {row.figure:72} {row.target:28} {VERDICTS[row.met]}".rstrip(), flush=True)
    except Exception as failure:  # noqa: BLE001 - the page says what failed, and goes on
        print(f"  failed: {type(failure).__name__}: {failure}")
    print(f"  ({time.monotonic() - began:.0f} s)", flush=True)


def main() -> None:
    """Print the page."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(SCENARIOS)}; all by default"
    )
    arguments.add_argument("--quick", action="store_true", help="about 4 minutes instead of 25")
    chosen = arguments.parse_args()
    if unknown := set(chosen.names) - SCENARIOS.keys():
        arguments.error(f"no such scenario: {', '.join(unknown)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and so stop what was started
    print(machine(quick=chosen.quick))
    with tempfile.TemporaryDirectory() as folder, KafkaCluster(Path(folder)) as cluster:
        create_topics(cluster.bootstrap_servers, "dead", partitions=1)
        bench = Bench(cluster.bootstrap_servers, chosen.quick)
        for name in chosen.names or SCENARIOS:
            show(name, bench)


if __name__ == "__main__":
    main()
