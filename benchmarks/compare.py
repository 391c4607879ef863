"""The worker against its floor: CPU an event, events a second, resident memory.

`python benchmarks/compare.py` starts a real Kafka and a sink, produces the same events for both programs, and runs
them in turn, round after round. Every figure is a ratio within one run: this machine's speed is not a result.
CPU is the whole process's, from the moment when 20 % of the events have arrived until all have.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # re-exported without a word

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.kafka_cluster import KafkaCluster  # noqa: E402 - needs the path above

TICKS = os.sysconf("SC_CLK_TCK")
PARTITIONS = 4

MAPPING = """
topics: [orders]
rules:
  - when: type == 'order.completed'
    call: track
    event: Order Completed
    userId: customer.id
    timestamp: occurred_at
    properties:
      order_id: order.id
      total: order.total
      currency: "'USD'"
      products: "order.lines[].{sku: sku, name: name, quantity: qty, price: price}"
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One program's run."""

    cpu: float
    """Microseconds an event."""
    rate: float
    """Events a second."""
    rss: float
    """MiB, the most."""
    fill: float
    """Mean share of 475,000 bytes or 2,000 calls in a request, whichever is larger."""


def event(number: int) -> bytes:
    """An order of two lines, 389 bytes as a rule."""
    return orjson.dumps(
        {
            "type": "order.completed",
            "id": f"evt-{number:012d}",
            "occurred_at": f"2026-11-21T10:{number // 60000 % 60:02d}:{number // 1000 % 60:02d}.{number % 1000:03d}Z",
            "customer": {
                "id": f"cust-{number * 7919 % 50000:06d}",
                "email": f"c{number % 50000}@example.com",
            },
            "order": {
                "id": f"ord-{number:09d}",
                "total": round(79.48 + number % 100, 2),
                "currency": "USD",
                "lines": [
                    {"sku": "SKU-100200", "name": "Blue widget", "qty": 2, "price": 19.99},
                    {"sku": "SKU-300400", "name": "Red widget, large", "qty": 1, "price": 39.5},
                ],
            },
            "source": "webshop",
            "version": 3,
        }
    )


def produce(servers: str, events: int) -> None:
    """Fill the topic."""
    admin = AdminClient({"bootstrap.servers": servers})
    for creation in admin.create_topics([NewTopic("orders", PARTITIONS, 1), NewTopic("dead", 1, 1)]).values():
        creation.result()
    producer = Producer(
        {"bootstrap.servers": servers, "linger.ms": 50, "queue.buffering.max.messages": 1_000_000}
    )
    for number in range(events):
        producer.produce("orders", event(number), f"cust-{number * 7919 % 50000:06d}".encode())
        if number % 10_000 == 0:
            producer.poll(0)
    producer.flush()


@contextmanager
def sink(latency: float) -> Iterator[str]:
    """A sink of its own for each run; its URL."""
    command = [sys.executable, str(ROOT / "benchmarks" / "sink.py"), "--latency", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mib(pid: int) -> float:
    """The most that a process has had resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def watch(process: subprocess.Popen[bytes], url: str, events: int) -> Measured:
    """Follow a run by what arrives at the sink."""
    began: tuple[float, float, int] | None = None
    while True:
        with urllib.request.urlopen(url) as answer:  # the sink of this run
            counts = json.load(answer)
        if began is None and counts["calls"] >= events // 5:
            began = time.perf_counter(), cpu_seconds(process.pid), counts["calls"]
        if counts["calls"] >= events:
            assert began, "everything arrived at once: use more events"
            seconds, cpu, calls = (
                time.perf_counter() - began[0],
                cpu_seconds(process.pid) - began[1],
                events - began[2],
            )
            size, requests = counts["bytes"], counts["requests"]
            fill = max(size / requests / 475_000, counts["calls"] / requests / 2_000)
            return Measured(cpu / calls * 1e6, calls / seconds, rss_mib(process.pid), fill)
        if process.poll() is not None:
            raise RuntimeError(f"the program ended with {process.returncode} after {counts['calls']} calls")
        time.sleep(0.02)


def run_floor(servers: str, url: str, events: int) -> Measured:
    """One run of the floor."""
    command = [sys.executable, str(ROOT / "benchmarks" / "floor.py"), servers, "orders", url, str(events)]
    process = subprocess.Popen(command)
    try:
        return watch(process, url, events)
    finally:
        process.kill()
        process.wait()


def run_worker(servers: str, url: str, events: int) -> Measured:
    """One run of the worker, as a user runs it."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "worker.yaml")
        Path(folder, "orders.yaml").write_text(MAPPING)
        config.write_text(
            f"kafka: {{bootstrap_servers: '{servers}', group_id: {uuid.uuid4().hex}, dead_letter_topic: dead}}\n"
            f"pipelines: {{url: '{url}', api_key: benchmark}}\n"
            f"http: {{listen: null}}\n"
            f"mappings: [{folder}/orders.yaml]\n"
        )
        command = [sys.executable, "-m", "worker", "run", "--config", str(config)]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        try:
            return watch(process, url, events)
        finally:
            process.kill()
            process.wait()


PROGRAMS = {"floor": run_floor, "worker": run_worker}


def compare(servers: str, events: int, rounds: int, latency: float) -> None:
    """Run both in turn and print what came of it."""
    runs: dict[str, list[Measured]] = {name: [] for name in PROGRAMS}
    for _ in range(rounds):
        for name, run in PROGRAMS.items():
            with sink(latency) as url:
                runs[name].append(run(servers, url, events))
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
        produce(cluster.bootstrap_servers, chosen.events)
        compare(cluster.bootstrap_servers, chosen.events, chosen.rounds, chosen.latency)


if __name__ == "__main__":
    main()
