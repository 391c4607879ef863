"""What a demo runs: a configuration, and the events for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from worker.demo.events import Sample
from worker.demo.registry import Registry
from worker.emulator import Fault
from worker.settings import Settings

TRICKLE_SECONDS = 0.5
"""Between two events after the summary."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a demo runs.

    Attributes:
        settings: the demo takes over everything of these but what leads to other machines.
        topics: to create, besides the dead-letter topic.
        samples: produced first; the summary is about them.
        more: begins the events that follow, one each `TRICKLE_SECONDS`, without an end.
        faults: that the emulator injects.
        same_bytes: whether all calls with the same messageId are the same bytes.
        registry: has the schemas of the samples, which are in Avro; None for JSON.
    """

    settings: Settings
    topics: Sequence[str]
    samples: Sequence[Sample]
    more: Callable[[], Iterator[Sample]]
    faults: Sequence[Fault] = ()
    same_bytes: bool = True
    registry: Registry | None = None
