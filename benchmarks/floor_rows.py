"""Rows that compare the worker with the floor, which guarantees nothing.

In each round the programs run one after the other on the same events. A figure is a ratio within a round, so the speed
of the machine does not matter. CPU is that of the program's processes, from the moment when 20 % of the calls have
arrived until 70 % have.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.events import LARGE, MAPPER, MAPPING, WHOLE, orders
from benchmarks.rows import Bench, Row, absolute, ratio

MEDIAN, EACH = 0.95, 1.1
"""What CPU an event may be, of the floor's: the median of the rounds, and each single round."""


def floor(bench: Bench) -> Iterator[Row]:
    """The worker, and the worker that decodes events whole, against the floor: 5,000 keys, four partitions."""
    topic = bench.usual()
    floor, worker, whole = bench.in_turn(
        lambda: bench.floor(topic),
        lambda: bench.run(topic),
        lambda: bench.run(topic, MAPPING + WHOLE),
    )
    for what, runs in (("the floor", floor), ("the worker", worker), ("the worker, decoding whole", whole)):
        yield absolute(what, runs)
    yield ratio("CPU an event: worker / floor", worker, floor, target=MEDIAN, each=EACH)
    yield ratio("CPU an event: decoding whole / floor", whole, floor, target=1.4)
    yield ratio("events a second: worker / floor", worker, floor, "rate", target=1.3)
    yield ratio("events a second: decoding whole / floor", whole, floor, "rate")


def keys(bench: Bench) -> Iterator[Row]:
    """CPU an event / the floor's, for each number of keys and partitions; keys are drawn uniformly."""
    for partitions in bench.partitions:
        for keys in bench.keys:
            topic = bench.usual(keys=keys, partitions=partitions)
            ours, floor = bench.in_turn(partial(bench.run, topic), partial(bench.floor, topic))
            what = f"{keys:,} keys, {partitions} partition{'s' * (partitions > 1)}: CPU / floor"
            yield ratio(what, ours, floor, target=MEDIAN, each=EACH)


def shapes(bench: Bench) -> Iterator[Row]:
    """Other events, and a Python mapper, against the floor on the same events."""
    usual, tiny = bench.usual(), bench.small()
    large = bench.topic("large", bench.events // 20, partial(orders, lines=LARGE))
    for what, topic, target in (("small (133 B)", tiny, 1.0), ("large (20 kB)", large, 1.1)):
        ours, floor = bench.in_turn(partial(bench.run, topic), partial(bench.floor, topic))
        yield ratio(f"{what}: CPU an event / floor", ours, floor, target=target)
        yield ratio(f"{what}: events a second / floor", ours, floor, "rate")
    mapper, floor = bench.in_turn(partial(bench.run, usual, MAPPER), partial(bench.floor, usual))
    yield ratio("a Python mapper: CPU an event / floor", mapper, floor, target=1.5)


def daily(bench: Bench) -> Iterator[Row]:
    """The rows to look at after each change: usual and small events against the floor."""
    for what, topic, target, each in (
        ("usual (389 B)", bench.usual(), MEDIAN, EACH),
        ("small (133 B)", bench.small(), 1.0, 0.0),
    ):
        ours, floor = bench.in_turn(partial(bench.run, topic), partial(bench.floor, topic))
        yield ratio(f"{what}: CPU an event / floor", ours, floor, target=target, each=each)
        yield ratio(f"{what}: events a second / floor", ours, floor, "rate")
