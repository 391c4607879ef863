"""Topics that no mapping file may claim, or that two claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from worker.documents.problems import Problem
from worker.mapping.files.rules import MappingFile
from worker.mapping.files.topics import is_pattern, matches, sample


def claim_problems(files: Sequence[MappingFile], dead_letter_topic: str) -> Iterator[Problem]:
    """Topics that two files claim, and claims on the dead-letter topic."""
    for position, file in enumerate(files):
        for topic in file.topics:
            at = _topic_path(file, topic)
            if matches(topic, dead_letter_topic):
                what = f"the pattern '{topic}' matches" if is_pattern(topic) else f"'{topic}' is"
                hint = "the worker would read what it writes"
                yield file.document.problem(f"{what} the dead-letter topic", at, hint=hint)
            for other in files[:position]:
                for taken in other.topics:
                    if overlap(topic, taken):
                        line, _ = other.document.position(_topic_path(other, taken))
                        where = f"{other.document.file}:{line}"
                        yield file.document.problem(
                            f"the topic '{topic}' is claimed by '{taken}' too", at, hint=f"see {where}"
                        )


def overlap(one: str, other: str) -> bool:
    """Whether a topic is known that both mean.

    For two patterns that is found out by examples, which may miss one: `Mappings.converter` refuses a topic
    that turns out to be claimed twice.
    """
    if one == other:
        return True
    if is_pattern(one) and is_pattern(other):
        return any(matches(other, name) for name in sample(one)) or any(
            matches(one, name) for name in sample(other)
        )
    return matches(one, other) if is_pattern(one) else matches(other, one)


def _topic_path(file: MappingFile, topic: str) -> tuple[str, int]:
    return ("topics", file.document.data["topics"].index(topic))
