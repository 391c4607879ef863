"""`python -m tests.campaign --seeds 1-20`: draws worlds and faults, runs them on a real Kafka, judges what happened.

Each seed is a world of its own, the same every time it is drawn: a seed that fails is run again by its number. What
happens within it depends on the machine's timing too, so run it several times.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import pickle
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.campaign.judge.findings import told
from tests.campaign.judge.verdict import judge
from tests.campaign.plan import Plan, draw_plan
from tests.campaign.run import WorldRun
from tests.support.kafka_cluster import KafkaCluster, missing_tools


def main() -> int:
    """Run the command; returns the exit code: 1 if a seed failed."""
    options = _options().parse_args()
    plans = [draw_plan(seed) for seed in options.seeds]
    if options.without_faults:
        plans = [each.without_faults() for each in plans]
    if options.plan:
        for plan in plans:
            _say("\n".join([f"seed {plan.world.seed}", *_plan_lines(plan)]))
        return 0
    if missing := missing_tools():
        _say(f"please install {missing}")
        return 2
    # As Ctrl-C does: workers and broker are ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(options.folder or tempfile.mkdtemp(prefix="campaign-"))
    failed = [plan.world.seed for plan in _failing(plans, folder)]
    if failed:
        _say(f"failed: {', '.join(map(str, failed))}; logs and configurations are kept in {folder}")
    elif not options.folder:
        shutil.rmtree(folder)
    return int(bool(failed))


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--seeds", type=_seeds, default=[1], metavar="1-20", help="seeds: 7 or 1-20 or 3,5,8")
    parser.add_argument(
        "--plan", action="store_true", help="print the worlds and their faults, and run nothing"
    )
    parser.add_argument(
        "--without-faults", action="store_true", help="run the worlds, and have nothing happen to them"
    )
    parser.add_argument(
        "--folder", help="where configurations and logs are written (default: a temporary folder)"
    )
    return parser


def _seeds(text: str) -> list[int]:
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def _failing(plans: list[Plan], folder: Path) -> Iterator[Plan]:
    """Run all, one after the other on one broker, and report each; yields those that failed."""
    with _cluster(folder) as cluster:
        for plan in plans:
            where = _free(folder / f"seed-{plan.world.seed}")
            if _passes(plan, cluster, where):
                shutil.rmtree(where)
            else:
                _say("\n".join([*_plan_lines(plan), f"  logs: {where}"]))
                _say(f"  again: python -m tests.campaign --seeds {plan.world.seed}")
                yield plan


def _passes(plan: Plan, cluster: KafkaCluster, folder: Path) -> bool:
    """Run one and report it; returns whether it passed. A world that cannot be run does not end the others."""
    try:
        run = WorldRun(plan, cluster.bootstrap_servers, cluster, folder)
        asyncio.run(run.run())
    except Exception:  # noqa: BLE001 - whatever it is, it is printed
        _say(f"seed {plan.world.seed} FAILED: it could not be run\n{traceback.format_exc()}")
        return False
    return report(plan, run, folder)


def _free(folder: Path) -> Path:
    """This folder, or one with a number behind its name if a seed that failed has left it."""
    others = (folder.with_name(f"{folder.name}-{number}") for number in itertools.count(2))
    return next(each for each in itertools.chain([folder], others) if not each.exists())


@contextmanager
def _cluster(folder: Path) -> Iterator[KafkaCluster]:
    try:
        with KafkaCluster(folder / "kafka").running() as cluster:
            yield cluster
    finally:
        shutil.rmtree(folder / "kafka" / "logs", ignore_errors=True)


def report(plan: Plan, run: WorldRun, folder: Path) -> bool:
    """Judge what happened and print a line, or all that was broken; returns whether it passed."""
    history, begun = run.history, time.monotonic()
    broken = judge(plan.world, history)
    again = len(history.accepted) - len({each.call.name for each in history.accepted})
    statuses = Counter(each.status for each in history.requests)
    phases = {**run.seconds, "judged": time.monotonic() - begun}
    seconds = " ".join(f"{name} {each:.0f}" for name, each in phases.items())
    _say(
        f"seed {plan.world.seed} {'FAILED' if broken else 'ok'}: {plan.world.words}; "
        f"{'; '.join(each.words for each in plan.faults) or 'no faults'}; "
        f"{len(history.sources)} records, {len(history.dead_letters)} dead letters, "
        f"{len(history.requests)} requests {dict(sorted(statuses.items()))}, "
        f"{again} calls again, {sum(phases.values()):.0f} s ({seconds})"
    )
    if broken:
        (folder / "broken.txt").write_text("\n".join(told(broken)))
        (folder / "history.pickle").write_bytes(pickle.dumps(history))
        _say("\n".join(told(broken)))
    return not broken


def _plan_lines(plan: Plan) -> list[str]:
    return [f"  {plan.world}", *[f"  {each.words}" for each in plan.faults]]


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
