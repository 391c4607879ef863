"""The demo of the packaged example: the events of a small tea shop."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from worker.demo.events import TOPICS, Sample, sample_events
from worker.demo.scenario import TRICKLE_SECONDS, Scenario
from worker.emulator import Fault
from worker.programs.starter import starter_folder
from worker.settings import load_settings

_FAULTS = (
    Fault(status=503, every=7, times=4),
    Fault(status=429, retry_after=1, every=23),
    Fault(reset=True, after=True, every=13, times=2),
)
"""Server errors, throttling and lost responses."""

_FIRST_SEED = 1
_ROUND = 4_000


def tea_shop(events: int = 4_000) -> Scenario:
    """The example that `init` writes, with this many events; environment variables are ignored."""
    settings = load_settings(starter_folder() / "worker.yaml", {}, needs_key=False)
    samples = list(sample_events(events, until=datetime.now(UTC)))
    return Scenario(settings, TOPICS, samples, _more, _FAULTS)


def _more() -> Iterator[Sample]:
    """Events of the current time, with new ids in each round."""
    for seed in itertools.count(_FIRST_SEED):
        until = datetime.now(UTC) + timedelta(seconds=_ROUND * TRICKLE_SECONDS)
        yield from sample_events(_ROUND, until=until, interval=TRICKLE_SECONDS, seed=seed)
