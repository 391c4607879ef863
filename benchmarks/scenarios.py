"""The worker in every situation that has a target: `python benchmarks/scenarios.py [NAME...]`.

Starts a real Kafka, sinks and workers on loopback, generates bounded load, prints one page, and stops what it started.
A figure stands beside its target or its bound. A ratio is one within a round, in which all that are compared run in
turn; ages, memory and fill are distributions over one run's time or requests. Throughput and CPU are measured from the
moment when 20 % of the calls have arrived until 70 % have.

  --quick alone                    a minute: the rows to look at after each change (`daily`)
  NAME --rounds 3                  one scenario in about a minute and a half
  --servers 127.0.0.1:9092         use a running Kafka (`--serve` starts one), and the topics of earlier runs
"""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import (
    cost_rows,
    day_rows,
    floor_rows,
    group_rows,
    pace_rows,
    peer_rows,
    scale_rows,
    standing_rows,
)
from benchmarks.page import Scenario, kafka, print_page
from benchmarks.rows import Bench

SCENARIOS: dict[str, Scenario] = {
    "daily": floor_rows.daily,
    "floor": floor_rows.floor,
    "keys": floor_rows.keys,
    "shapes": floor_rows.shapes,
    "calls": cost_rows.calls,
    "telemetry": cost_rows.telemetry,
    "latency": pace_rows.latency,
    "fill": pace_rows.fill,
    "memory": standing_rows.memory,
    "hang": pace_rows.hang,
    "freshness": pace_rows.freshness,
    "skew": pace_rows.skew,
    "start": standing_rows.start,
    "workers": group_rows.workers,
    "join": group_rows.join,
    "java": peer_rows.java,
    "tls": scale_rows.tls,
    "partitions": scale_rows.partitions,
    "day": day_rows.day,
}


def main() -> None:
    """Print the page."""
    parser = _parser()
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - SCENARIOS.keys():
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    with kafka(chosen.servers) as servers:
        if chosen.serve:
            print(servers, flush=True)
            with suppress(KeyboardInterrupt):
                signal.pause()
            return
        sizes = {name: value for name in ("keys", "partitions") if (value := getattr(chosen, name))}
        bench = Bench(servers, chosen.quick, chosen.events, chosen.rounds, **sizes)
        print_page({_command(name): SCENARIOS[name] for name in _names(chosen)}, bench)


def _names(chosen: argparse.Namespace) -> list[str]:
    """The scenarios to run; `daily` repeats rows of others, so it is only run where it is named, or with `--quick`."""
    if chosen.names:
        return list(chosen.names)
    return ["daily"] if chosen.quick else [name for name in SCENARIOS if name != "daily"]


def _command(name: str) -> str:
    options = [each for each in sys.argv[1:] if each not in SCENARIOS]
    return " ".join(["python benchmarks/scenarios.py", name, *options])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SCENARIOS)}; all by default")
    parser.add_argument(
        "--quick", action="store_true", help="400,000 events a run, 2 rounds; without a name: `daily`"
    )
    parser.add_argument("--events", type=int, default=0, help="of a usual run; 600,000 by default")
    parser.add_argument("--rounds", type=int, default=0, help="of a comparison; 5 by default")
    parser.add_argument(
        "--keys", type=_numbers, help="of the scenario `keys`, such as 500,5000; all four by default"
    )
    parser.add_argument("--partitions", type=_numbers, help="of the scenario `keys`; 1,4,48 by default")
    parser.add_argument("--servers", help="addresses of a Kafka to use, instead of starting one")
    parser.add_argument(
        "--serve", action="store_true", help="only start a Kafka, and print its address until Ctrl-C"
    )
    return parser


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


if __name__ == "__main__":
    main()
