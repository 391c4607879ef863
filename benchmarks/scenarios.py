"""The worker in every situation that has a target: `python benchmarks/scenarios.py [NAME...] [--quick]`.

Starts a real Kafka, sinks and workers on loopback, generates bounded load, prints one page, and stops what it started.
A figure stands beside its target or its bound. A ratio is one within a round, in which all that are compared run in
turn; ages, memory and fill are distributions over one run's time or requests. Throughput and CPU are measured from the
moment when 20 % of the calls have arrived until all have.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import cost_rows, pace_rows, standing_rows
from benchmarks.compare import compare
from benchmarks.page import Scenario, print_page

SCENARIOS: dict[str, Scenario] = {
    "floor": compare,
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


def main() -> None:
    """Print the page."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(SCENARIOS)}; all by default"
    )
    arguments.add_argument("--quick", action="store_true", help="a rehearsal: less load, two rounds")
    chosen = arguments.parse_args()
    if unknown := set(chosen.names) - SCENARIOS.keys():
        arguments.error(f"no such scenario: {', '.join(unknown)}")
    quick = " --quick" if chosen.quick else ""
    commands = {
        f"python benchmarks/scenarios.py {name}{quick}": SCENARIOS[name] for name in chosen.names or SCENARIOS
    }
    print_page(commands, quick=chosen.quick)


if __name__ == "__main__":
    main()
