"""The demo of a user's own mapping: the events of the fixtures, in the order in which they are written."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from worker.demo.events import ExpectedOutcome, Sample
from worker.demo.scenario import Scenario
from worker.mapping.explaining import Explanation
from worker.mapping.files.topics import is_pattern
from worker.mapping.mappings import Mappings
from worker.mapping.trying.fixtures import Fixture
from worker.mapping.trying.preview import PREVIEW_IDS
from worker.settings import Settings


def own_mapping(settings: Settings, mappings: Mappings, fixtures: Sequence[Fixture]) -> Scenario:
    """The events of fixtures, whose topics the mappings name.

    Args:
        settings: the user's.
        mappings: the user's, which say what is expected of each event.
        fixtures: at least one.
    """
    seen: set[str] = set()
    mappings = mappings.taking_json()
    samples = [
        _sample(fixture, mappings.explain(replace(fixture.record, at=(0, offset)), PREVIEW_IDS), seen)
        for offset, fixture in enumerate(fixtures)
    ]
    exact = [name for name in mappings.subscriptions if not is_pattern(name)]
    topics = list(dict.fromkeys([*exact, *(sample.topic for sample in samples)]))
    return Scenario(settings, topics, samples, lambda: itertools.cycle(samples), same_bytes=False)


def _sample(fixture: Fixture, explanation: Explanation, seen: set[str]) -> Sample:
    """The event of a fixture; adds the ids of its calls to those that were seen."""
    record = fixture.record
    ids = [call["messageId"] for call in explanation.calls]
    repeated = len(ids) - len(set(ids) - seen)
    seen.update(ids)
    return Sample(
        record.of_topic,
        record.of_key,
        record.bytes_,
        record.millis or 0,
        _outcome(explanation),
        len(ids),
        repeated,
        [*record.of_headers],
        0 if record.made_up_time else max(record.millis or 0, 0),
    )


def _outcome(explanation: Explanation) -> ExpectedOutcome:
    if explanation.rejected:
        return ExpectedOutcome.DEAD_LETTERED
    return ExpectedOutcome.DELIVERED if explanation.calls else ExpectedOutcome.IGNORED
