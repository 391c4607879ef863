"""Runs every kind of finding over mapping files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from worker.documents.document import Document
from worker.documents.problems import Problem
from worker.mapping.files.lint import (
    conditions,
    constants,
    envelopes,
    evidence,
    ids,
    literals,
    names,
    operators,
    starts,
)
from worker.mapping.files.lint.samples import Sample
from worker.mapping.files.lint.spots import Spot, spots, topics_of
from worker.mapping.files.lint.watching import Watched, watch
from worker.mapping.files.topics import matches


def findings(documents: Sequence[Document], samples: Sequence[Sample]) -> list[Problem]:
    """What is legal but surely not meant, in order of the place.

    Args:
        documents: the mapping files, also those with errors.
        samples: the fixtures' records of all topics.
    """
    found = [problem for document in documents for problem in _of_file(document, samples)]
    return sorted(found, key=lambda problem: (problem.file or "", problem.line or 0, problem.column or 0))


def _of_file(document: Document, samples: Sequence[Sample]) -> Iterator[Problem]:
    topics = topics_of(document)
    own = [sample for sample in samples if any(_is_of(sample.topic, topic) for topic in topics)]
    own = envelopes.unwrapped(document, own)
    known = frozenset(name for sample in own for name in _names(sample.event))
    every = spots(document)
    yield from literals.event_names(document, every, own)
    yield from ids.id_findings(document, every)
    watched = watch(document, every, own)
    for spot in every:
        yield from _of_spot(spot, topics, known, watched, [sample.event for sample in own])


def _of_spot(
    spot: Spot,
    topics: list[str],
    known: frozenset[str],
    watched: Watched,
    events: Sequence[dict[str, Any] | None],
) -> Iterator[Problem]:
    """The findings of one expression. What is plain from its text alone explains what else would be found."""
    plain = [
        *names.name_findings(spot, known, has_samples=bool(events)),
        *literals.literal_words(spot, known),
        *operators.negation_findings(spot),
        *operators.default_findings(spot),
        *operators.pipe_findings(spot),
        *operators.precedence_findings(spot),
        *operators.either_findings(spot),
        *operators.list_findings(spot),
        *starts.start_findings(spot, known, events),
        *envelopes.envelope_findings(spot, known),
        *constants.constant_findings(spot, events),
    ]
    plain = plain or list(conditions.condition_findings(spot, topics))
    plain = plain or list(evidence.evidence_findings(spot, watched))
    yield from plain or literals.quoted_paths(spot, watched, events)


def _is_of(name: str, topic: str) -> bool:
    try:
        return matches(topic, name)
    except Exception:  # noqa: BLE001 - a pattern that does not compile is reported by the reader
        return False


def _names(value: Any) -> Iterator[str]:
    """Every field's name in a value, at any depth."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _names(item)
    elif isinstance(value, list):
        for item in value:
            yield from _names(item)
