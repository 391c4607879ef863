"""Rows that tell how fast and how fresh deliveries are: a slow API, a hung request, skewed keys, many contexts."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median
from typing import Any

from benchmarks.events import CONTEXTS, TRACED, drawn, hottest_share, numbered, with_hot_key, zipf
from benchmarks.rows import Bench, Row, Topic, absolute, middle, spread
from benchmarks.stage import Measured, measure, sink, worker
from benchmarks.topics import create_topics, into_topic, produce

Examined = tuple[Measured, dict[str, Any]]
"""A run, and what its calls told of themselves."""

IN_FLIGHT = 8
"""The default of `delivery.max_requests_in_flight`."""

LATENCY = 0.05
"""Of the sink where requests are to fill, and where keys and contexts are skewed, seconds."""

IN_PROGRESS = 50_000
"""The default of `memory.max_records_in_progress`."""

HANG_KEYS = 50_000
"""Customers of the scenario `hang`: a request holds 1,200 of them, few enough to leave nearly all traffic alone."""

LINGER = 0.5
"""The default of `batch.linger`, seconds."""


def latency(bench: Bench) -> Iterator[Row]:
    """Throughput where the API takes its time, against the CPU's (at 0 ms) and what 8 requests in flight allow."""
    topic, delays = bench.usual(), (0.05, 0.3)
    unhindered, *delayed = bench.in_turn(
        *(partial(bench.run, topic, latency=seconds) for seconds in (0.0, *delays))
    )
    yield absolute("0 ms: the CPU bound", unhindered)
    for seconds, target, runs in zip(delays, (0.9, 0.95), delayed, strict=True):
        bounds = [
            min(cpu.rate, IN_FLIGHT * ran.calls_in_request / seconds)
            for cpu, ran in zip(unhindered, runs, strict=True)
        ]
        shares = [ran.rate / bound for ran, bound in zip(runs, bounds, strict=True)]
        yield Row(
            f"{seconds * 1000:.0f} ms, {IN_FLIGHT} in flight: of the bound",
            f"{spread(shares)}; {middle(runs, 'rate'):,.0f} / {median(bounds):,.0f} a second, "
            f"fill {middle(runs, 'fill'):.2f}",
            f"≥ {target:.2f}",
            median(shares) >= target,
        )


def fill(bench: Bench) -> Iterator[Row]:
    """How full requests are in a backlog, where bytes limit them and where calls do: mean of each run."""
    bytes_limit, calls_limit = bench.in_turn(
        partial(bench.run, bench.usual(), latency=LATENCY), partial(bench.run, bench.small(), latency=LATENCY)
    )
    for what, runs in (("475,000 bytes", bytes_limit), ("2,000 calls", calls_limit)):
        yield Row(
            f"fill, limited by {what}",
            f"{spread(ran.fill for ran in runs)}; {middle(runs, 'calls_in_request'):,.0f} calls",
            "≥ 0.95",
            middle(runs, "fill") >= 0.95,
        )


def hang(bench: Bench) -> Iterator[Row]:
    """One request hangs for 10 s at 10,000 events/s: one run.

    In progress may be 200,000 records, for their commits wait for the request.
    """
    rate, seconds = 10_000, 18 if bench.quick else 40
    topic = f"hang-{uuid.uuid4().hex}"
    create_topics(bench.servers, topic)
    with (
        sink(0.02, examine=True) as into,
        worker(
            bench.servers,
            topic,
            into.url,
            TRACED,
            settings={"MEMORY__MAX_RECORDS_IN_PROGRESS": 200_000, "MEMORY__MAX_BYTES": 256_000_000},
        ) as running,
        ThreadPoolExecutor(1) as beside,
    ):
        events = beside.submit(
            produce, bench.servers, into_topic(topic, numbered(drawn(rate * seconds, HANG_KEYS))), rate
        )
        into.wait_for(4 * rate, [running.process])
        into.get("/hang?10")
        into.wait_for(events.result(), [running.process])
        told = into.get("/report")
    yield Row(
        "p99 delay of keys not in that request",
        f"{told['others_p99']:.2f} s (p50 {told['others_p50']:.2f} s; {told['others_late'] / told['others']:.1%} of "
        f"{told['others']:,} over 1 s)",
        "< 1 s",
        told["others_p99"] < 1,
    )
    delivered = told["answered"] / told["arrived"]
    yield Row(
        "throughput meanwhile: answered / arrived",
        f"{delivered:.3f}; {told['arrived'] / told['hung_for']:,.0f} a second arrived, "
        f"the request held {told['hung_keys']:,} keys",
        "≥ 0.95",
        delivered >= 0.95,
    )
    yield _in_order(told)


def freshness(bench: Bench) -> Iterator[Row]:
    """Age at 2xx with 100 events a second, 20 ms latency and the default linger: one run."""
    seconds = 15 if bench.quick else 60
    topic = f"fresh-{uuid.uuid4().hex}"
    create_topics(bench.servers, topic)
    with (
        sink(0.02, examine=True) as into,
        worker(bench.servers, topic, into.url, TRACED) as running,
    ):
        while running.when("partitions_assigned") is None:
            time.sleep(0.1)
        events = produce(bench.servers, into_topic(topic, numbered(drawn(100 * seconds))), a_second=100)
        into.wait_for(events, [running.process])
        told = into.get("/report")
    for share, name, most in ((0.5, "age_p50", LINGER / 2 + 0.06), (0.99, "age_p99", LINGER + 0.15)):
        yield Row(
            f"age at 2xx: p{share * 100:.0f}", f"{told[name] * 1000:.0f} ms", f"≤ {most * 1000:.0f} ms",
            told[name] <= most,
        )  # fmt: skip
    yield _in_order(told)


def skew(bench: Bench) -> Iterator[Row]:
    """Hot keys and many contexts at 50 ms latency, each beside its bound; order checked call by call."""

    def numbered_topic(kind: str, customers: Callable[[int], Iterable[int]], contexts: int = 1) -> Topic:
        return bench.topic(kind, bench.events, lambda events: numbered(customers(events), contexts=contexts))

    usually, *others = bench.in_turn(
        partial(_examined, bench, numbered_topic("even", drawn)),
        partial(_examined, bench, numbered_topic("hot", with_hot_key)),
        partial(_examined, bench, numbered_topic("zipf", zipf)),
        partial(_examined, bench, numbered_topic("contexts", drawn, 1_000), CONTEXTS),
        partial(_examined, bench, numbered_topic("unique", range, 1_000_000), CONTEXTS),
    )
    yield absolute("even keys", [ran for ran, _ in usually])
    full = 475_000 / median(ran.bytes_of_call for ran, _ in usually)
    for what, most, runs in (
        ("hot key with 20 %", full / LATENCY / 0.2, others[0]),
        ("Zipf 1.1 over 100,000 keys", full / LATENCY / hottest_share(zipf(bench.events)), others[1]),
        ("1,000 contexts", IN_FLIGHT * IN_PROGRESS / 1_000 / LATENCY, others[2]),
        ("unique contexts", IN_FLIGHT / LATENCY, others[3]),
    ):
        yield _beside(what, min(most, IN_FLIGHT * full / LATENCY), usually, runs)
    yield _in_order(*(told for runs in (usually, *others) for _, told in runs))


def _beside(what: str, most: float, usually: list[Examined], runs: list[Examined]) -> Row:
    """A rate against what requests in flight allow (a second), or what even keys reach where that is less."""
    bounds = [min(even.rate, most) for even, _ in usually]
    shares = [ran.rate / bound for (ran, _), bound in zip(runs, bounds, strict=True)]
    reached = [ran for ran, _ in runs]
    return Row(
        f"{what}: of the bound",
        f"{spread(shares)}; {middle(reached, 'rate'):,.0f} / {median(bounds):,.0f} a second, "
        f"{middle(reached, 'calls_in_request'):,.0f} calls a request",
        "≥ 0.90",
        median(shares) >= 0.9,
    )


def _examined(bench: Bench, topic: Topic, mapping: str = TRACED) -> Examined:
    name, count = topic
    with (
        sink(LATENCY, examine=True) as into,
        worker(bench.servers, name, into.url, mapping) as running,
    ):
        seconds = (5 if bench.quick else 10) if mapping == CONTEXTS else None
        return measure([running.process], into, count, seconds), into.get("/report")


def _in_order(*told: dict[str, Any]) -> Row:
    disorder = sum(each["disorder"] for each in told)
    return Row("calls out of their key's order", str(disorder), "0", disorder == 0)
