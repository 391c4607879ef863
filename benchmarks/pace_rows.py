"""Rows that tell how fast and how fresh deliveries are: a slow API, a hung request, skewed keys, many contexts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.events import (
    CONTEXTS,
    MAPPING,
    TRACED,
    Event,
    even,
    hottest_share,
    numbered,
    small,
    with_hot_key,
    zipf,
)
from benchmarks.rows import Bench, Row
from benchmarks.stage import Measured, create_topics, measure, produce, sink, worker

IN_FLIGHT = 8
"""The default of `delivery.max_requests_in_flight`."""

LATENCY = 0.05
"""Of the sink where keys and contexts are skewed, seconds."""

IN_PROGRESS = 50_000
"""The default of `memory.max_records_in_progress`."""

LINGER = 0.5
"""The default of `batch.linger`, seconds."""


def latency(bench: Bench) -> Iterator[Row]:
    """Throughput where the API takes its time, against what 8 requests in flight allow; fill of a request."""
    topic = bench.usual()
    unhindered = bench.run(topic)
    yield Row("0 ms: the CPU bound", f"{unhindered.rate:,.0f} events/s")
    for seconds in (0.05, 0.3):
        ran = bench.run(topic, latency=seconds)
        bound = min(unhindered.rate, IN_FLIGHT * ran.calls_in_request / seconds)
        yield Row(
            f"{seconds * 1000:.0f} ms, {IN_FLIGHT} in flight",
            f"{ran.rate:,.0f} events/s: {ran.rate / bound:.2f} of the bound; fill {ran.fill:.2f}",
            f"≥ 0.90 of {bound:,.0f}",
            ran.rate >= 0.9 * bound,
        )


def fill(bench: Bench) -> Iterator[Row]:
    """How full requests are in a backlog, where bytes limit them and where calls do."""
    tiny = bench.topic("small", small(bench.events * (3 if bench.quick else 10)))
    for what, topic, mapping in (("475,000 bytes", bench.usual(), MAPPING), ("2,000 calls", tiny, MAPPING)):
        ran = bench.run(topic, mapping, latency=0.05)
        yield Row(
            f"fill, limited by {what}",
            f"{ran.fill:.3f}; {ran.calls_in_request:,.0f} calls",
            "≥ 0.95",
            ran.fill >= 0.95,
        )


def hang(bench: Bench) -> Iterator[Row]:
    """One request hangs for 10 s at 10,000 events/s; in progress may be 200,000 records, for commits wait for it."""
    rate, seconds = 10_000, 18 if bench.quick else 40
    create_topics(bench.servers, "hang")
    with (
        sink(0.02, examine=True) as into,
        worker(
            bench.servers,
            "hang",
            into.url,
            TRACED,
            settings={"MEMORY__MAX_RECORDS_IN_PROGRESS": 200_000, "MEMORY__MAX_BYTES": 256_000_000},
        ) as running,
        ThreadPoolExecutor(1) as beside,
    ):
        events = beside.submit(produce, bench.servers, "hang", numbered(even(rate * seconds)), rate)
        into.wait_for(4 * rate, [running.process])
        into.get("/hang?10")
        into.wait_for(events.result(), [running.process])
        told = into.get("/report")
    offered = rate * told["hung_for"]
    yield Row(
        "p99 delay of other keys meanwhile",
        f"{told['others_p99']:.2f} s (p50 {told['others_p50']:.2f} s; "
        f"{told['others_late'] / told['others']:.1%} over 1 s)",
        "< 1 s",
        told["others_p99"] < 1,
    )
    # Of what came in the last moments some is on its way, with or without a request that hangs.
    delivered = told["in_time"] / (offered - rate * told["others_p50"])
    yield Row(
        "throughput meanwhile / offered",
        f"{delivered:.2f}; the request held {told['hung_keys']:,} keys",
        "≥ 0.95",
        delivered >= 0.95,
    )
    yield _in_order(told)


def freshness(bench: Bench) -> Iterator[Row]:
    """Age at 2xx with 100 events a second, 20 ms latency and the default linger."""
    seconds = 15 if bench.quick else 60
    create_topics(bench.servers, "fresh")
    with (
        sink(0.02, examine=True) as into,
        worker(bench.servers, "fresh", into.url, TRACED) as running,
    ):
        while running.when("partitions_assigned") is None:
            time.sleep(0.1)
        events = produce(bench.servers, "fresh", numbered(even(100 * seconds)), a_second=100)
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
    _examined(bench, "even", numbered(even(bench.events)))  # the first to read a topic reads a disk
    usually, told = _examined(bench, "even", ())
    yield Row("even keys", f"{usually.rate:,.0f} events/s")
    yield _in_order(told)
    full = 475_000 / usually.bytes_of_call

    def bound(calls: float = full, hottest: float = 0.0) -> float:
        most = IN_FLIGHT * calls / LATENCY
        return min(usually.rate, most, full / LATENCY / hottest if hottest else most)

    hot, skewed = list(with_hot_key(bench.events)), zipf(bench.events)
    some = numbered(even(bench.events), contexts=1_000)
    alone = numbered(even(bench.events, 1_000_000), contexts=1_000_000)
    for what, events, most in (
        ("hot key with 20 %", numbered(hot), bound(hottest=0.2)),
        ("Zipf 1.1 over 100,000 keys", numbered(skewed), bound(hottest=hottest_share(skewed))),
        ("1,000 contexts", some, bound(IN_PROGRESS / 1_000)),
        ("unique contexts", alone, bound(1)),
    ):
        ran, told = _examined(bench, what, events, CONTEXTS if "contexts" in what else TRACED)
        yield Row(
            what,
            f"{ran.rate:,.0f} events/s: {ran.rate / most:.2f}; {ran.calls_in_request:,.0f} calls a request",
            f"bound {most:,.0f}",
        )
        yield _in_order(told)


def _examined(
    bench: Bench, what: str, events: Iterable[Event], mapping: str = TRACED
) -> tuple[Measured, dict[str, Any]]:
    topic, count = bench.topic(re.sub(r"\W+", "-", what), events)
    with (
        sink(LATENCY, examine=True) as into,
        worker(bench.servers, topic, into.url, mapping) as running,
    ):
        seconds = 5 + 15 * (not bench.quick) if mapping == CONTEXTS else None
        return measure([running.process], into, count, seconds), into.get("/report")


def _in_order(told: dict[str, Any]) -> Row:
    return Row("  calls out of their key's order", str(told["disorder"]), "0", told["disorder"] == 0)
