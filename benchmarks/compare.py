"""The worker against its floor: CPU an event, events a second, resident memory.

`python benchmarks/compare.py` starts a real Kafka and a sink, produces the same events for both programs, and runs
them in turn, round after round. Every figure is a ratio within one run: this machine's speed is not a result.
CPU is the whole process's, from the moment when 20 % of the events have arrived until all have.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.events import orders
from benchmarks.stage import (
    PARTITIONS,
    Measured,
    create_topics,
    floor,
    measure,
    produce,
    sink,
    worker,
)
from tests.support.kafka_cluster import KafkaCluster

TOPIC = "orders"


def run_floor(servers: str, events: int, latency: float) -> Measured:
    """One run of the floor."""
    with sink(latency) as into, floor(servers, TOPIC, into.url, events) as process:
        return measure([process], into, events)


def run_worker(servers: str, events: int, latency: float) -> Measured:
    """One run of the worker."""
    with sink(latency) as into, worker(servers, TOPIC, into.url) as running:
        return measure([running.process], into, events)


PROGRAMS = {"floor": run_floor, "worker": run_worker}


def compare(servers: str, events: int, rounds: int, latency: float) -> None:
    """Run both in turn and print what came of it."""
    runs: dict[str, list[Measured]] = {name: [] for name in PROGRAMS}
    for _ in range(rounds):
        for name, run in PROGRAMS.items():
            runs[name].append(run(servers, events, latency))
    print(f"\n{events:,} events, {PARTITIONS} partitions, {rounds} rounds, sink latency {latency:g} s")
    print(f"{'':8} {'CPU µs an event':>24} {'events/s':>10} {'RSS MiB':>8} {'fill':>6}")
    for name, measured in runs.items():
        cpus = [each.cpu for each in measured]
        spread = f"{statistics.median(cpus):.2f} ({min(cpus):.2f}-{max(cpus):.2f})"
        rate, rss, fill = (
            statistics.median(getattr(each, field) for each in measured) for field in ("rate", "rss", "fill")
        )
        print(f"{name:8} {spread:>24} {rate:>10,.0f} {rss:>8.0f} {fill:>6.2f}")
    ratios = [worker.cpu / floor.cpu for worker, floor in zip(runs["worker"], runs["floor"], strict=True)]
    rates = [worker.rate / floor.rate for worker, floor in zip(runs["worker"], runs["floor"], strict=True)]
    print(f"CPU an event, worker / floor: median {statistics.median(ratios):.2f}, min {min(ratios):.2f}")
    print(f"events/s, worker / floor: median {statistics.median(rates):.2f}, max {max(rates):.2f}")


def main() -> None:
    """Start Kafka, produce, compare."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--latency", type=float, default=0.0, help="of the sink, in seconds")
    arguments.add_argument("--quick", action="store_true", help="a minute: 200,000 events, 3 rounds")
    chosen = arguments.parse_args()
    if chosen.quick:
        chosen.events, chosen.rounds = 200_000, 3
    with tempfile.TemporaryDirectory() as folder, KafkaCluster(Path(folder)) as cluster:
        create_topics(cluster.bootstrap_servers, TOPIC)
        create_topics(cluster.bootstrap_servers, "dead", partitions=1)
        produce(cluster.bootstrap_servers, TOPIC, orders(chosen.events))
        compare(cluster.bootstrap_servers, chosen.events, chosen.rounds, chosen.latency)


if __name__ == "__main__":
    main()
