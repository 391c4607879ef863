"""Lanes through long random schedules: runs of calls of few keys, queued within milliseconds of each other.

The state machines of `test_lane_machines.py` find faults that few steps reproduce. Some need a dozen calls in the right
places: chunks that grow while others are blocked.
"""

from __future__ import annotations

import random

import pytest

from tests.support.lane_model import PartitionModel, calls_of, new_lanes
from worker.core.lanes import Batch, Lanes

STEPS = 150


@pytest.mark.parametrize(
    "seeds", [range(300), pytest.param(range(300, 6_000), marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_no_call_overtakes_an_older_one_of_its_key(seeds: range) -> None:
    for seed in seeds:
        run(random.Random(seed))


def run(chance: random.Random) -> None:
    lanes = new_lanes(max_bytes=10_000, max_calls=chance.choice([3, 6]), max_in_flight=chance.choice([2, 3]))
    models = [PartitionModel(lanes.assign(("orders", n), 0)) for n in range(chance.randint(1, 3))]
    keys = [*(b"%d" % n for n in range(chance.choice([1, 2, 3, 8]))), None]
    batches: list[Batch] = []
    now = 0.0
    for _ in range(STEPS):
        now += chance.choice([0, 0, 0.01, 0.02, 0.06])
        step = chance.random()
        if step < 0.6:
            add(lanes, chance, chance.choice(models), keys, now)
        elif step < 0.85:
            if batch := lanes.take(now, draining=chance.random() < 0.2):
                for model in models:
                    model.send(calls_of(batch, model.state))
                batches.append(batch)
        elif batches:
            batch = batches.pop(chance.randrange(len(batches)))
            for model in models:
                model.finish(calls_of(batch, model.state))
            lanes.finish(batch)
        for model in models:
            assert model.state.offsets.committable() == model.committable()


def add(
    lanes: Lanes, chance: random.Random, model: PartitionModel, keys: list[bytes | None], now: float
) -> None:
    """Queue a few records, most of them with one key."""
    frequent = chance.choice(keys)
    for _ in range(chance.choice([1, 1, 2, 6])):
        model.add(lanes, chance.choice([frequent, frequent, chance.choice(keys)]), [(10, b"")], now)
