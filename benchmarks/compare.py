"""The worker against its floor: `python benchmarks/compare.py [--quick]`, the page's first rows by themselves.

Starts a real Kafka and a sink, produces the same events for all, and runs in turn, round after round: the floor, the
worker, and the worker where a rule reads the whole event. Every figure is a ratio within one round: this machine's
speed is not a result. CPU is the whole process's, from the moment when 20 % of the calls have arrived until all have.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.events import MAPPING, WHOLE
from benchmarks.page import print_page
from benchmarks.rows import Bench, Row, absolute, ratio


def compare(bench: Bench) -> Iterator[Row]:
    """The worker, and the worker that decodes events whole, against the floor, which guarantees nothing."""
    topic = bench.usual()
    floor, worker, whole = bench.in_turn(
        lambda: bench.floor(topic),
        lambda: bench.run(topic),
        lambda: bench.run(topic, MAPPING + WHOLE),
    )
    for what, runs in (("the floor", floor), ("the worker", worker), ("the worker, decoding whole", whole)):
        yield absolute(what, runs)
    yield ratio("CPU an event: worker / floor", worker, floor, target=1.1)
    yield ratio("CPU an event: decoding whole / floor", whole, floor, target=1.4)
    yield ratio("events a second: worker / floor", worker, floor, "rate", target=1.3)
    yield ratio("events a second: decoding whole / floor", whole, floor, "rate")


def main() -> None:
    """Print these rows."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--events", type=int, default=0, help="400,000 by default")
    arguments.add_argument("--rounds", type=int, default=0, help="5 by default")
    arguments.add_argument("--quick", action="store_true", help="a minute: 200,000 events, 3 rounds")
    chosen = arguments.parse_args()
    events, rounds = (200_000, 3) if chosen.quick else (chosen.events, chosen.rounds)
    command = " ".join(["python benchmarks/compare.py", *sys.argv[1:]])
    print_page({command: compare}, quick=chosen.quick, events=events, rounds=rounds)


if __name__ == "__main__":
    main()
